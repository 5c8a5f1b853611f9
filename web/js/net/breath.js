/**
 * Shell: the end of one task and the beginning of the next.
 * @module
 */

/**
 * Let the browser answer a finger and draw before the next long piece of work. Not by a timer: in a tab that nobody
 * sees, those come once a second, and a part of a broadcast comes three times.
 * @returns {Promise<void>}
 */
export const breath = () =>
  new Promise((go) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      go();
    };
    port2.postMessage(null);
  });
