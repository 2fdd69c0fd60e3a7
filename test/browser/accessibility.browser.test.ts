import type { Page } from 'playwright-core';
import { beforeEach, describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { bottomOf, expectWholeInView, loginButton, signIn } from '../support/browser.ts';
import { useTab } from '../support/browsing.ts';
import { Visitor } from '../support/visitor.ts';
import { contrast } from './contrast.ts';
import { axeColorFindings } from './findings.ts';

const siteName = 'Acme';
const { url } = await startApp({ env: { SITE_NAME: siteName } });
const many = await startApp({ env: { SESSIONS_PER_ADDRESS: '60' } });
const tab = useTab(() => [url, many.url]);
beforeEach(() => tab.reset());

describe('with a keyboard alone', () => {
  test('a visitor skips to the form, signs in with Enter, and logs out', async () => {
    const page = tab.page();
    await page.goto(url);
    await page.keyboard.press('Tab');
    expect(await focusedText(page)).toBe('Skip to main content');
    expect(await page.locator(':focus').boundingBox()).toMatchObject({ x: expect.any(Number), y: 8 });
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('main');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.id')).toBe('email');
    await page.keyboard.type('keys@example.com');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    expect(await page.getByLabel('Keep me signed in').isChecked()).toBe(true);
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${url}/admin`);

    const order: (string | null)[] = [];
    for (let press = 0; press < 5; press += 1) {
      await page.keyboard.press('Tab');
      order.push(await focusedText(page));
    }
    expect(order).toEqual(['Skip to main content', siteName, 'Sessions', 'Log out', 'Log out']);
    expect(await page.locator('[aria-current="page"]').textContent()).toBe('Sessions');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${url}/`);
  });

  test('a visitor who has ended a session hears so, and goes on in the list', async () => {
    const page = tab.page();
    const email = 'several@example.com';
    for (let others = 1; others <= 3; others += 1) await new Visitor(url).signIn(email);
    await signIn(page, url, email);
    await page.getByRole('button', { name: 'End session 3 of 4' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('status').waitFor();
    expect(await focusedText(page)).toBe('The session has been ended.');
    expect(page.url()).toBe(`${url}/admin`);
    const order: (string | null)[] = [];
    for (let press = 0; press < 3; press += 1) {
      await page.keyboard.press('Tab');
      order.push(await page.locator(':focus').getAttribute('aria-label'));
    }
    expect(order).toEqual([
      null,
      expect.stringMatching(/^End session 2 of 3/),
      expect.stringMatching(/^End session 3 of 3/),
    ]);
    await page.reload();
    expect(await page.getByRole('status').count()).toBe(0);
  });

  function focusedText(page: Page): Promise<string | null> {
    return page.locator(':focus').textContent();
  }
});

// A window of 1280 by 1024 at 400 % zoom.
test('zoomed in to 320 by 256, a visitor sees what is wrong with an address, and the field', async () => {
  const page = tab.page();
  await page.setViewportSize({ width: 320, height: 256 });
  await page.goto(`${url}/login`);
  await page.getByLabel('E-mail address').fill('ann');
  await loginButton(page).click();
  for (const part of [page.getByRole('alert'), page.getByLabel('E-mail address')]) await expectWholeInView(part);
});

describe('on a phone of 360 by 640', () => {
  test.each(['/', '/login'])('%s shows the form with its button', async (path) => {
    const page = tab.page();
    await page.setViewportSize({ width: 360, height: 640 });
    await page.goto(url + path);
    expect(await bottomOf(loginButton(page))).toBeLessThanOrEqual(640);
  });

  test('the keyboard of the phone is the right one, and says what Enter does', async () => {
    const page = tab.page();
    await page.goto(`${url}/login`);
    const email = page.locator('input:focus');
    for (const [name, value] of [
      ['name', 'email'],
      ['type', 'email'],
      ['inputmode', 'email'],
      ['enterkeyhint', 'go'],
    ] as const) {
      expect(await email.getAttribute(name)).toBe(value);
    }
  });

  test('sixty sessions begin with ten, in rows of which seven fit on a screen', async () => {
    const page = tab.page();
    const email = 'sixty@example.com';
    for (let others = 1; others < 60; others += 1) await new Visitor(many.url).signIn(email);
    await page.setViewportSize({ width: 360, height: 640 });
    await signIn(page, many.url, email);
    const rows = page.getByRole('listitem').filter({ visible: true });
    expect(await rows.count()).toBe(10);
    expect((await rows.nth(5).boundingBox())?.height).toBeLessThanOrEqual(640 / 7);
    await page.emulateMedia({ media: 'print' });
    expect(await rows.count()).toBe(60);
    await page.emulateMedia({ media: null });
    expect(await rows.count()).toBe(10);
    await page.getByText('Show 50 more sessions').click();
    expect(await rows.count()).toBe(60);
  });
});

// WCAG 1.4.11, which axe does not check.
test('the edges of fields, checkboxes and buttons stand out, light and dark', async () => {
  const page = tab.page();
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.goto(`${url}/admin`);
    const edges = [await edge(page.getByRole('link', { name: 'home page' }))];
    await page.goto(`${url}/login`);
    const checkbox = page.getByLabel('Keep me signed in');
    edges.push(await edge(page.getByLabel('E-mail address')), await edge(checkbox));
    for (const { border, inside, outside } of edges) {
      expect(contrast(border, inside)).toBeGreaterThanOrEqual(3);
      expect(contrast(border, outside)).toBeGreaterThanOrEqual(3);
    }
    await checkbox.check();
    const { inside, mark, outside } = await edge(checkbox);
    expect(contrast(inside, outside)).toBeGreaterThanOrEqual(3);
    expect(contrast(mark, inside)).toBeGreaterThanOrEqual(3);
  }
});

test('whoever asks for more contrast gets it: text of 7 to 1, and edges of 4.5 to 1', async () => {
  const page = tab.page();
  await page.goto(`${url}/login`);
  const edgeOf = async () => {
    const { border, outside } = await edge(page.getByLabel('E-mail address'));
    return contrast(border, outside);
  };
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, contrast: 'more' });
    expect(await axeColorFindings(page)).toEqual([]);
    for (const text of ['.note', '.check small', 'h1', 'button.primary']) {
      const { color, behind } = await page.locator(text).last().evaluate(colors);
      expect(contrast(color, behind), `${text}, ${colorScheme}`).toBeGreaterThanOrEqual(7);
    }
    expect(await edgeOf()).toBeGreaterThanOrEqual(4.5);
  }
});

test('in forced colors, controls keep their edges, and a checked box its mark', async () => {
  const page = tab.page();
  await page.emulateMedia({ forcedColors: 'active' });
  await page.goto(`${url}/login`);
  const checkbox = page.getByLabel('Keep me signed in');
  await checkbox.check();
  for (const control of [checkbox, page.getByLabel('E-mail address'), loginButton(page)]) {
    const { border, outside, width } = await edge(control);
    expect(width).toBeGreaterThanOrEqual(1);
    expect(border).not.toBe(outside);
  }
  const { mark, inside } = await edge(checkbox);
  expect(contrast(mark, inside)).toBeGreaterThanOrEqual(3);
});

test.each([{ forcedColors: 'active' }, { contrast: 'more' }] as const)(
  'with %o, the links and buttons of the header are underlined',
  async (media) => {
    const page = tab.page();
    await page.emulateMedia(media);
    const underlines = () =>
      page
        .locator('header :is(a, button)')
        .evaluateAll((controls) =>
          controls.map((control) => [control.textContent, getComputedStyle(control).textDecorationLine]),
        );
    await page.goto(`${url}/missing`);
    expect(await underlines()).toEqual(['Acme', 'Log in'].map((name) => [name, 'underline']));
    await signIn(page, url, 'underlined@example.com');
    expect(await underlines()).toEqual(['Acme', 'Sessions', 'Log out'].map((name) => [name, 'underline']));
  },
);

test('browsers get the icons that they ask for by name', async () => {
  const page = tab.page();
  await page.goto(url);
  const icons = await page
    .locator('link[rel~="icon"], link[rel="apple-touch-icon"]')
    .evaluateAll((links) => links.map((link) => link.getAttribute('href') ?? ''));
  expect(icons.map((icon) => icon.replace(/\?.*/, ''))).toEqual([
    '/favicon.ico',
    '/favicon.svg',
    '/apple-touch-icon.png',
  ]);
  const sizes = { '/favicon.ico': 32, '/apple-touch-icon.png': 180 };
  for (const [path, size] of Object.entries(sizes)) {
    const drawn = await page.evaluate(async (src) => {
      const image = new Image();
      image.src = src;
      await image.decode();
      return [image.naturalWidth, image.naturalHeight];
    }, path);
    expect(drawn).toEqual([size, size]);
  }
});

function colors(element: Element): { color: string; behind: string } {
  let around: Element | null = element;
  while (around?.parentElement && getComputedStyle(around).backgroundColor === 'rgba(0, 0, 0, 0)') {
    around = around.parentElement;
  }
  return { color: getComputedStyle(element).color, behind: getComputedStyle(around ?? element).backgroundColor };
}

type Edge = { border: string; inside: string; outside: string; mark: string; width: number };

function edge(control: ReturnType<Page['locator']>): Promise<Edge> {
  return control.evaluate((element) => {
    const card = element.closest('.card');
    if (!card) throw new Error('a control stands in no card');
    const outside = getComputedStyle(card).backgroundColor;
    const { borderTopColor: border, backgroundColor, borderTopWidth } = getComputedStyle(element);
    const mark = getComputedStyle(element, '::before').borderBottomColor;
    const inside = backgroundColor === 'rgba(0, 0, 0, 0)' ? outside : backgroundColor;
    return { border, outside, inside, mark, width: Number.parseFloat(borderTopWidth) };
  });
}
