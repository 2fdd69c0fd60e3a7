import { parseAddress } from '../../src/session/email-address.ts';

/** What would be markup, or a template, if it were not escaped. */
export const payloads = [
  '<script>alert(1)</script>',
  '</title><script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  "'><svg/onload=alert(1)>",
  '" autofocus onfocus=alert(1) x="',
  '"><form action=//evil.example>',
  '</textarea></style><b>',
  '<!--',
  '&lt;b&gt;&#60;b&#62;&quot;',
  '<%= 7*7 %>',
  '<%- include("admin") %>',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a template is what it tries to be
  '${7*7}{{7*7}}#{7*7}',
  'javascript:alert(1)',
  '\u2028<b>',
];

/** The tags of a page with the names of their attributes: what text can't change as long as it is text. */
export function markupOf(page: string): string[] {
  return [...page.matchAll(/<[^>]*>/g)].map(([tag]) => tag.replace(/"[^"]*"/g, '""'));
}

/** Text as a browser shows it. */
export function readAsText(html: string): string {
  const characters: Record<string, string> = { lt: '<', gt: '>', amp: '&', '#34': '"', '#39': "'" };
  return html.replace(/&(lt|gt|amp|#34|#39);/g, (_, name: string) => characters[name] ?? '');
}

/** An address of the same length, because a view may set long addresses in smaller letters. */
export function harmlessLike(address: string): string {
  return '@y.example'.padStart(address.length, 'a');
}

/** Hostile texts as addresses that are accepted. */
export const addresses = payloads.flatMap((payload) => {
  const parsed = parseAddress(`"${payload.replace(/["\\]/g, '\\$&')}"@x.example`);
  return 'email' in parsed ? [parsed.email] : [];
});
