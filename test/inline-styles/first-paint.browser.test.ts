import { describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { loginButton } from '../support/browser.ts';
import { useTab } from '../support/browsing.ts';

const app = await startApp({ config: { production: true } });
const sites = [['a site', app.url]];
// feature: branding
const branded = await startApp({ env: { SITE_COLOR: '#ffd400' }, config: { production: true } });
sites.push(['a site with a color of its own', branded.url]);
// end: branding

describe.each(sites)('%s', (_, url = '') => {
  const tab = useTab(() => [url]);

  test('is painted before any other answer arrives', async () => {
    await tab.reset();
    const page = tab.page();
    const held: string[] = [];
    await page.route(
      (asked) => asked.pathname !== '/',
      (route) => void held.push(route.request().url()),
    );
    await page.goto(url, { waitUntil: 'commit' });
    await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length === 1);
    expect(held.filter((asked) => asked.includes('.css')).length).toBeGreaterThan(0);
    await page.unrouteAll({ behavior: 'ignoreErrors' });
  });

  test('looks as it does with its files, which the next page finds in the cache', async () => {
    await tab.reset();
    const page = tab.page();
    const blocked: string[] = [];
    page.on('console', (message) => void (message.type() === 'error' && blocked.push(message.text())));
    await page.goto(url);
    const rules = () =>
      page.evaluate(() =>
        [...document.styleSheets].map((sheet) => ({
          media: sheet.media.mediaText,
          // White space means nothing in the values of our variables.
          rules: [...sheet.cssRules].map(({ cssText }) => cssText.replaceAll(/(--[\w-]+:|,) /g, '$1')),
        })),
      );
    const [inline, ...files] = await rules();
    expect(inline?.rules).toEqual(files.flatMap((file) => file.rules));
    expect(files.map(({ media }) => media)).toEqual(files.map(() => 'print'));
    await page.getByLabel('E-mail address').fill('ann@example.com');
    await loginButton(page).click();
    await page.waitForURL(`${url}/admin`);
    expect(blocked).toEqual([]);
    const styled = await page.evaluate(() =>
      performance
        .getEntriesByType('resource')
        .filter(({ name }) => name.includes('.css'))
        .map((entry) => (entry as PerformanceResourceTiming).transferSize),
    );
    expect(styled).toEqual(files.map(() => 0));
  });
});
