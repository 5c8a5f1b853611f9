/**
 * Shell: text to the clipboard, also where the page is not a secure one.
 * @module
 */

/**
 * @param {HTMLInputElement} field that shows the text: it is selected, so that a person can copy by hand if all else fails
 * @returns {Promise<boolean>}
 */
export async function copyFrom(field) {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    // Plain http on a local network has no clipboard API; the old command still works there.
    return document.execCommand("copy");
  }
}
