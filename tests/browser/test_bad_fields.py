"""What is typed into the forms of the studio, the account and the home page: taken as meant, or kept and explained."""

from __future__ import annotations

import base64
import re

from house import PASSWORD, Encoder
from playwright.async_api import expect
from visits import log_in

ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
TEXAS = "\U0001f3f4\U000e0075\U000e0073\U000e0074\U000e0078\U000e007f"
ODD = f"앞\u202e뒤\u2066 🐈‍⬛{ENGLAND}"
PLAIN = f"앞뒤 🐈‍⬛{ENGLAND}"
PIXEL = base64.b64decode("R0lGODdhEAAQAIAAAAAAAP///ywAAAAAEAAQAAACDoSPqcvtD6OctNqLsz4FADs=")  # A GIF of 16 by 16.


async def log_out_elsewhere(house, member, page):
    """End every login of a member, and let the token in the page's memory be over."""
    await house.api("DELETE", "/api/members/me/logins", token=member.token)
    await page.clock.set_system_time(await page.evaluate("Date.now() + 3_600_000"))


async def log_in_again(page, link, member, path):
    """Take the way back that a refusal shows."""
    await link.click()
    await page.wait_for_url("**/login?*")
    await log_in(page, member.login_id, PASSWORD)
    await page.wait_for_url(path)


async def press_twice(button):
    """Click twice before anything can have been answered."""
    await button.evaluate("(button) => { button.click(); button.click(); }")


async def title_a_channel(page, house, member, asked):
    title, save = page.locator("channel-form [name=title]"), page.locator("channel-form button[type=submit]")
    await expect(save).to_be_enabled()
    await title.fill(f"{ODD} {TEXAS}")
    await press_twice(save)
    await expect(page.locator("channel-form .said")).not_to_be_empty()
    assert (await house.api("GET", f"/api/channels/{member.nickname}"))["title"] == f"{PLAIN} \U0001f3f4"
    assert asked.count("PATCH") == 1


async def gather_for_something(page, asked, shoot):
    form = page.locator("goal-form")
    what, points, wrong = form.locator("[name=title]"), form.locator("[name=points]"), form.locator("[role=alert]")
    begin = form.locator("button")
    await what.fill("긴" * 201)
    await begin.click()
    await expect(wrong).to_contain_text("1부터 1,000,000,000까지")
    await points.fill("300")
    await begin.click()
    await expect(wrong).to_contain_text("200자")
    await expect(what).to_have_value("긴" * 201)
    await shoot(page, "studio-goal-too-long")
    await what.fill(ODD)
    await press_twice(begin)
    await expect(form.locator("goal-bar")).to_contain_text(PLAIN)
    assert asked.count("PUT") == 2


async def add_an_emote(page, shoot):
    desk = page.locator("emote-desk")
    code, picture, wrong = desk.locator("[name=code]"), desk.locator("[name=picture]"), desk.locator("[role=alert]")
    add = desk.locator("button[type=submit]")
    pictures = (
        None,
        {"name": "cat.gif", "mimeType": "image/gif", "buffer": b"GIF89a" + bytes(1 << 20)},
        {"name": "cat.gif", "mimeType": "image/gif", "buffer": b"no picture"},
        {"name": "cat.svg", "mimeType": "image/svg+xml", "buffer": b"<svg onload='xss()'/>"},
    )
    # In turn: the words of the round before are never those that this round waits for.
    for odd, no_picture in zip(("", "🐈", "a" * 21, "고양\u202e이"), pictures, strict=True):
        await code.fill(odd)
        await add.click()
        await expect(wrong).to_contain_text("2~20자")
        await expect(code).to_have_value(odd)
        await shoot(page, "studio-emote-code")
        await code.fill("고양이")
        if no_picture is not None:
            await picture.set_input_files(no_picture)
        await add.click()
        await expect(wrong).to_contain_text("32KiB")
        await expect(code).to_have_value("고양이")
    await picture.set_input_files({"name": "cat.gif", "mimeType": "image/gif", "buffer": PIXEL})
    await press_twice(add)
    await expect(desk.locator("li code")).to_have_text([":고양이:"])


async def set_rules(page, shoot):
    rules = page.locator("chat-rules")
    pinned, words, wrong = rules.locator("[name=pinned]"), rules.locator("textarea"), rules.locator("[role=alert]")
    save, said = rules.locator("button[type=submit]"), rules.locator("[role=status]")
    await page.locator("chat-room .rule").click()
    await expect(words).to_be_enabled()
    await pinned.fill("긴" * 501)
    await save.click()
    await expect(wrong).to_contain_text("500자")
    await expect(pinned).to_have_value("긴" * 501)
    await words.fill("\n".join(f"말{number}" for number in range(201)))
    await save.click()
    await expect(wrong.first).to_contain_text("200개")
    await shoot(page, "studio-rules-too-many")
    await words.fill("🐈‍⬛\n광고\u202e")
    await pinned.fill(ODD)
    await press_twice(save)
    await expect(said).not_to_be_empty()
    await expect(page.locator("chat-room .pinned bdi")).to_have_text(PLAIN)


async def test_what_is_typed_in_the_studio_is_taken_as_meant_or_kept_and_explained(house, new_page, nickname, shoot):
    member = await house.sign_up(nickname())
    async with new_page() as page:
        page.forgiven.append("400")
        await page.goto("/login?next=/studio")
        await log_in(page, member.login_id, PASSWORD)
        asked = []
        page.on("request", lambda one: asked.append(one.method) if "/api/channels/" in one.url else None)
        await title_a_channel(page, house, member, asked)
        await gather_for_something(page, asked, shoot)
        await add_an_emote(page, shoot)
        await set_rules(page, shoot)
        # And the house has what was taken, and nothing else.
        await page.reload()
        await expect(page.locator("emote-desk li code")).to_have_text([":고양이:"])
        await expect(page.locator("goal-form goal-bar")).to_contain_text(PLAIN)
        await expect(page.locator("chat-room .pinned bdi")).to_have_text(PLAIN)


async def test_a_login_that_ends_takes_nothing_along_that_is_typed_in_the_studio(house, new_page, nickname):
    member = await house.sign_up(nickname())
    async with new_page() as page:
        page.forgiven.append("401")
        await page.goto("/login?next=/studio")
        await log_in(page, member.login_id, PASSWORD)
        rules, form, desk = page.locator("chat-rules"), page.locator("goal-form"), page.locator("emote-desk")
        await page.locator("chat-room .rule").click()
        await expect(rules.locator("textarea")).to_be_enabled()
        fields = {
            rules.locator("[name=pinned]"): "아직 걸지 않은 공지",
            rules.locator("textarea"): "아직",
            form.locator("[name=title]"): ODD,
            form.locator("[name=points]"): "300",
            desk.locator("[name=code]"): "고양이",
        }
        for field, words in fields.items():
            await field.fill(words)
        await desk.locator("[name=picture]").set_input_files(
            {"name": "cat.gif", "mimeType": "image/gif", "buffer": PIXEL}
        )
        await rules.locator("[name=slow]").select_option("30")
        await rules.locator("[name=links]").check()
        await log_out_elsewhere(house, member, page)
        await expect(page.locator("chat-room .guest")).to_be_visible()
        for one in (rules, form, desk):
            await one.locator("button[type=submit]").click()
            await expect(one.locator("[role=alert] a")).to_have_attribute("href", "/login?next=%2Fstudio")
        await log_in_again(page, form.locator("[role=alert] a"), member, "/studio")
        await page.locator("chat-room .rule").click()
        await expect(rules.locator("textarea")).to_be_enabled()
        for field, words in fields.items():
            await expect(field).to_have_value(words)
        await expect(rules.locator("[name=slow]")).to_have_value("30")
        await expect(rules.locator("[name=links]")).to_be_checked()
        await form.locator("button").click()
        await expect(form.locator("goal-bar")).to_contain_text(PLAIN)
        await rules.locator("button[type=submit]").click()
        await expect(rules.locator("[role=status]")).not_to_be_empty()
        await page.reload()
        await form.locator("button").click()
        await expect(form.locator("[name=title]")).to_have_value("")


async def test_who_logs_in_as_another_beside_a_page_does_not_act_by_it(house, new_page, nickname, shoot):
    mine, other = await house.sign_up(nickname()), await house.sign_up(nickname())
    async with new_page() as page:
        page.forgiven.append("401")
        await page.goto("/login?next=/studio")
        await log_in(page, mine.login_id, PASSWORD)
        title, save = page.locator("channel-form [name=title]"), page.locator("channel-form button[type=submit]")
        wrong = page.locator("channel-form [role=alert]")
        await expect(save).to_be_enabled()
        await title.fill("아직 저장하지 않은 제목")
        # As another tab does it, to which all cookies of this one belong too.
        await page.evaluate(
            """(account) => fetch("/api/members/login", {
              method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(account) })""",
            {"login_id": other.login_id, "password": PASSWORD},
        )
        await page.clock.set_system_time(await page.evaluate("Date.now() + 3_600_000"))
        for _ in range(2):
            await save.click()
            await expect(wrong).to_contain_text("다른 계정")
        await shoot(page, "studio-another")
        await wrong.locator("a").click()
        await expect(title).to_have_attribute("placeholder", re.compile(other.nickname))
        await expect(title).to_have_value("")
        for each in (mine, other):
            assert (await house.api("GET", f"/api/channels/{each.nickname}"))["title"] == ""


async def test_a_page_that_is_loaded_again_has_what_was_typed_there(new_page):
    async with new_page() as page:
        await page.goto("/signup")
        await page.fill("#login_id", "somebody")
        await page.fill("#nickname", "아무개")
        await page.fill("#password", PASSWORD)
        await page.locator("site-header .language").click()
        await expect(page.locator("html")).to_have_attribute("lang", "en")
        await expect(page.locator("#login_id")).to_have_value("somebody")
        await expect(page.locator("#nickname")).to_have_value("아무개")
        await expect(page.locator("#password")).to_have_value("")
        # Come to anew it is empty.
        await page.goto("/signup")
        await expect(page.locator("#login_id")).to_have_value("")


async def test_a_tokens_name_is_taken_as_meant_or_kept_and_explained_and_outlives_a_login(
    house, new_page, nickname, shoot
):
    member = await house.sign_up(nickname())
    async with new_page() as page:
        page.forgiven += ["400", "401"]
        await page.goto("/login?next=/account")
        await log_in(page, member.login_id, PASSWORD)
        tokens = page.locator("bot-tokens")
        name, wrong, make = tokens.locator("[name=name]"), tokens.locator("[role=alert]"), tokens.locator("form button")
        for odd in ("", "긴" * 41, "\u202e\u2066"):
            await name.fill(odd)
            await make.click()
            await expect(wrong).to_contain_text("40자")
            await expect(name).to_have_value(odd)
        await shoot(page, "account-token-too-long")
        await name.fill(ODD)
        await press_twice(make)
        await expect(tokens.locator("li .what")).to_have_text([PLAIN])

        await name.fill("아직 만들지 않은 봇")
        await log_out_elsewhere(house, member, page)
        await make.click()
        await log_in_again(page, wrong.locator("a"), member, "/account")
        await expect(name).to_have_value("아직 만들지 않은 봇")


async def test_a_double_click_signs_up_once_and_odd_names_are_kept_and_explained(house, new_page, nickname):
    async with new_page() as page:
        page.forgiven.append("400")
        await page.goto("/signup")
        asked = []
        # To sign up, and nothing else: the page asks who one is by a POST too.
        signing = "/api/members"
        page.on("request", lambda one: asked.append(one.method) if one.url.endswith(signing) else None)
        name, submit = page.locator("#nickname"), page.locator("sign-up-form button[type=submit]")
        who = nickname()
        await page.fill("#login_id", f"u{who}"[:20])
        await page.fill("#password", PASSWORD)
        for odd in ("🐈‍⬛🎉", "고\u202e양이", "가" * 21, "<b>굵게</b>"):
            await name.fill(odd)
            await submit.click()
            await expect(page.locator("#nickname-below")).to_have_class("problem")
            await expect(name).to_be_focused()
            await expect(name).to_have_value(odd)
            await expect(page.locator("#password")).to_have_value(PASSWORD)
        assert asked == []
        await name.fill(who)
        await press_twice(submit)
        await expect(page.locator("sign-up-form .welcome")).to_be_visible()
        assert asked == ["POST"]


async def test_whatever_is_searched_finds_nothing_and_the_address_can_be_loaded_again(house, new_page):
    async with new_page() as page:
        await page.goto("/")
        for odd in ("🐈‍⬛🎉", "\u202e\u2066zzzz", "<img src=x>", "가" * 20_000):
            await page.fill("#search", odd)
            await expect(page.locator("live-now .empty")).to_be_visible()
            await expect(page.locator("#search")).to_have_value(odd)
        assert (await page.reload()).status == 200
        await expect(page.locator("#search")).to_have_value("가" * 100)
        await page.locator("live-now .empty button").click()
        await expect(page.locator("#search")).to_have_value("")


async def test_lines_that_were_refused_wait_each_by_itself_until_they_are_changed_or_dropped(house, new_page, nickname):
    member = await house.sign_up(nickname())
    path = f"/c/{member.nickname}"
    async with new_page() as page:
        page.forgiven.append("401")
        await page.goto(f"/login?next={path}")
        await log_in(page, member.login_id, PASSWORD)
        field, refused = page.locator("#chat-text"), page.locator("chat-list .line.refused")
        said = page.locator("chat-list .line.mine:not(.pending):not(.refused) .text")
        unsaid = ["\u2066", "\u2067", "\u2068"]
        for count, words in enumerate(unsaid, 1):
            await field.fill(words)
            await field.press("Enter")
            await expect(refused).to_have_count(count)
        await field.fill("들리는 말")
        await field.press("Enter")
        await expect(said).to_have_text(["들리는 말"])
        await refused.nth(1).locator("button").last.click()

        # Ended from another device: there is no field to put words in, and they stay where they are.
        await house.api("DELETE", "/api/members/me/logins", token=member.token)
        way_back = page.locator("chat-room .guest a")
        await expect(way_back).to_be_visible()
        await refused.first.locator("button").first.click()
        await expect(way_back).to_be_focused()
        await expect(refused).to_have_count(2)
        await log_in_again(page, way_back, member, path)

        await expect(refused).to_have_count(2)
        texts = await refused.locator(".text").evaluate_all("(all) => all.map((text) => text.textContent)")
        assert [unsaid[0], unsaid[2]] == texts
        await expect(field).to_have_value("")
        await refused.first.locator("button").first.click()
        await expect(field).to_have_value(unsaid[0])
        await refused.locator("button").last.click()
        await expect(refused).to_have_count(0)
        await field.fill("")
        await page.reload()
        await expect(said).to_have_text(["들리는 말"])
        await expect(refused).to_have_count(0)
        kept = await page.evaluate("Object.keys(sessionStorage).filter((key) => key.startsWith('commeow.'))")

    assert kept == []


async def test_who_sends_with_a_key_that_leaked_is_cut_off_for_good(house, new_page, nickname, ffmpeg, shoot):
    member = await house.sign_up(nickname())
    async with Encoder(ffmpeg, member.stream_server, member.stream_key) as encoder, new_page() as page:
        await house.on_air(member.nickname)
        await page.goto("/login?next=/studio")
        await log_in(page, member.login_id, PASSWORD)
        await page.locator("stream-health .row", has=page.locator(".connected")).get_by_role("button").click()
        made = []
        page.on("request", lambda one: made.append(one.url) if one.url.endswith("/stream-key") else None)
        await press_twice(page.locator("stream-health dialog").get_by_role("button", name="새 키 만들기"))
        await encoder.ended()
        keys = page.locator("studio-desk .steps copy-field")
        await expect(keys).to_have_count(2)
        await expect(keys.last).to_be_visible()
        await expect(page.locator("stream-health dialog")).to_be_hidden()
        await shoot(page, "studio-key-after-cut")
        assert len(made) == 1
        key = await keys.last.locator("input").input_value()
        assert key != member.stream_key

    async with Encoder(ffmpeg, member.stream_server, member.stream_key) as old:
        await old.ended()
    async with Encoder(ffmpeg, member.stream_server, key):
        await house.on_air(member.nickname)
