/** What the main part of a page offers besides the way home: links, and forms with their fields. */
export function offersOf(page: string) {
  const main = page.slice(page.indexOf('<main'));
  const links = [...main.matchAll(/<a[^>]* href="([^"]*)"[^>]*>([^<]*)</g)].map(([, href, label]) => [label, href]);
  const forms = [...main.matchAll(/<form[^>]* action="([^"]*)"([\s\S]*?)<\/form>/g)].map(([, action, inside = '']) => {
    const inputs = [...inside.matchAll(/<input([^>]*)>/g)].map(([, attributes = '']) => [
      / name="([^"]*)"/.exec(attributes)?.[1],
      / value="([^"]*)"/.exec(attributes)?.[1] ?? / checked/.test(attributes),
    ]);
    const button = /<button[^>]*>([^<]*?)\s*</.exec(inside)?.[1];
    return { action, button, fields: Object.fromEntries(inputs) };
  });
  return { links: links.filter(([label]) => label !== 'Go to the home page'), forms };
}
