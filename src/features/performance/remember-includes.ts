import { copyOf } from '../../shared/copy-of.ts';
import { RecentCache } from './recent-cache.ts';

export type Locals = Readonly<Record<string, unknown>>;

/**
 * Two generations of this many take about 1.4 MB with fifty sessions on each list, and 6.4 MB at worst, written in two bytes a
 * character. That includes the locals that are compared.
 */
const maxIncludes = 20;
const maxCharacters = 65_536;

/**
 * Remembers the HTML that a view wrote last for each value of one local, its key, and returns it again while all other
 * locals are the same. Arrays are compared element by element, and everything else by identity: neither an object nor an
 * array may be changed once it was passed. The view may depend on nothing else but what is constant for the life of the
 * process.
 */
export function rememberIncludes(key: string, render: (locals: Locals) => string): (locals: Locals) => string {
  const recent = new RecentCache<{ locals: Locals; html: string }>(maxIncludes);

  return (locals) => {
    const id = String(locals[key]);
    const known = recent.get(id);
    if (known && haveSameValues(known.locals, locals)) return known.html;
    const html = render(locals);
    // A flat copy: EJS appends, and would leave many small strings in memory.
    if (html.length <= maxCharacters) recent.set(id, { locals, html: copyOf(html) });
    return html;
  };
}

function haveSameValues(before: Locals, after: Locals): boolean {
  const names = Object.keys(after);
  const isSameLocal = (name: string) => Object.hasOwn(before, name) && isSame(before[name], after[name]);
  return Object.keys(before).length === names.length && names.every(isSameLocal);
}

function isSame(before: unknown, after: unknown): boolean {
  if (!Array.isArray(before) || !Array.isArray(after)) return Object.is(before, after);
  return before.length === after.length && before.every((item, position) => Object.is(item, after[position]));
}
