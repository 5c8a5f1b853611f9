"""A streamer uploads a picture for the chat; everyone sees it where its code is said, and picks it by keyboard."""

from __future__ import annotations

import asyncio

from playwright.async_api import expect
from visits import sign_up

from tests.routes.pictures import png


async def test_a_picture_stands_where_its_code_is_said(new_page, nickname, axe, shoot):
    owner, viewer = nickname(), nickname()
    async with new_page() as streamer, new_page(locale="en-GB") as page:
        await sign_up(streamer, owner)
        await streamer.goto("/studio")
        desk = streamer.locator("emote-desk")
        await desk.locator("input[name=code]").fill("냥이")
        picture = {"name": "cat.png", "mimeType": "image/png", "buffer": png(56, 56)}
        chooser = desk.locator("file-field")
        await expect(chooser).to_contain_text("파일 선택")
        await chooser.locator("input").set_input_files(picture)
        await expect(chooser.locator(".chosen")).to_have_text("cat.png")
        await desk.locator("button[type=submit]").click()
        await expect(desk.locator("li")).to_have_count(1)
        await shoot(streamer, "studio-emotes")

        await sign_up(page, viewer)
        await page.goto(f"/c/{owner}")
        await page.fill("#chat-text", "hello")
        await page.locator("chat-room .pick").press("Enter")
        picker = page.locator("emote-picker button")
        await expect(picker.first).to_be_focused()
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("ArrowLeft")
        await page.keyboard.press("Enter")
        await expect(page.locator("#chat-text")).to_have_value("hello :냥이: ")
        await page.evaluate(axe)
        found = await page.evaluate("async () => (await axe.run('chat-room')).violations.map((one) => one.id)")
        await shoot(page, "chat-emotes")
        assert found == []
        await page.keyboard.press("Escape")
        await expect(picker).to_have_count(0)
        await expect(page.locator("#chat-text")).to_be_focused()
        await page.keyboard.type(":paw: <img src=x> :none:")
        await page.keyboard.press("Enter")

        for reader in (page, streamer):
            line = reader.locator("chat-list .line:not(.pending) .text", has_text=":none:")
            await expect(line.locator("img")).to_have_count(2)
            # A line may be drawn anew while one looks: each look finds the picture that is there then.
            for at, code in enumerate((":냥이:", ":paw:")):
                picture = line.locator("img").nth(at)
                await expect(picture).to_have_attribute("alt", code)
                await expect(picture).to_have_js_property("complete", True)
                await expect(picture).not_to_have_js_property("naturalWidth", 0)
            assert await line.text_content() == "hello   <img src=x> :none:"

        await desk.locator("li button").click()
        await expect(desk.locator("li")).to_have_count(0)
        # A room asks anew over some seconds, not all of it at once.
        await expect(page.locator("chat-list .line .text img")).to_have_count(1)


async def test_the_first_picture_has_the_focus_also_when_it_comes_after_the_picker_was_opened(
    house, new_page, nickname
):
    owner, opened = await house.sign_up(nickname()), asyncio.Event()

    async def answer_late(route):
        await opened.wait()
        await route.continue_()

    async with new_page() as page:
        await sign_up(page, nickname())
        await page.route("**/emotes", answer_late)
        await page.goto(f"/c/{owner.nickname}")
        await page.locator("chat-room .pick").press("Enter")
        await expect(page.locator("emote-picker .note[role=status]")).to_have_text("이모티콘을 불러오는 중…")
        opened.set()
        await expect(page.locator("emote-picker button").first).to_be_focused()
