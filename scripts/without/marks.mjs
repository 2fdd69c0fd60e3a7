/** A comment that marks what belongs to features: a line that ends in it, or the block that begins or ends with it. */
const mark =
  /^(?<before>|.*?\s)(?:#|\/\*|<!--|<%#|\/\/) (?<edge>feature|end): (?<names>[\w-]+(?:, [\w-]+)*)(?: (?:\*\/|-->|%>)(?: \|)?)?$/;
/** What its writer may have meant for one. */
const likeMark = /(?:^|\s)(?:#|\/\*|<!--|<%#|\/\/) ?(?:feature|end): ?[\w-]/;

/**
 * The marks that would have no effect, or another than was meant.
 * @param {Map<string, string>} texts of files, by the files' names
 * @param {string[]} features all that there are
 * @returns {string[]}
 */
export function wrongMarks(texts, features) {
  return [...texts].flatMap(([file, text]) => {
    /** @type {string[]} */
    const problems = [];
    /** @type {{ names: string, at: string }[]} */
    const open = [];
    for (const [index, line] of text.split('\n').entries()) {
      const at = `${file}:${index + 1}`;
      const { before = '', edge, names = '' } = mark.exec(line)?.groups ?? {};
      if (edge === undefined) {
        if (likeMark.test(line)) problems.push(`${at} has a mark that is not the end of its line`);
        continue;
      }
      const unknown = names.split(', ').filter((name) => !features.includes(name));
      if (unknown.length > 0) problems.push(`${at} marks ${unknown.join(', ')}, which is not in src/features`);
      if (edge === 'feature' && before.trim() === '') open.push({ names, at });
      if (edge === 'feature') continue;
      if (open.at(-1)?.names === names) open.pop();
      else problems.push(`${at} ends ${names}, which is not what has begun last`);
    }
    return [...problems, ...open.map(({ names, at }) => `${at} begins ${names}, which has no end`)];
  });
}

/**
 * Text without the parts that are marked as a removed feature's: from a line that is a comment saying
 * `feature: NAME` to the one that says `end: NAME`, or a single line that ends in such a comment.
 * @param {string} text
 * @param {string[]} removed
 */
export function withoutMarked(text, removed) {
  /** @type {string | undefined} */
  let inside;
  const lines = text.split('\n');
  const left = lines.filter((line) => {
    const { before = '', edge, names = '' } = mark.exec(line)?.groups ?? {};
    if (inside !== undefined) {
      if (edge === 'end' && names === inside) inside = undefined;
      return false;
    }
    if (edge !== 'feature' || !names.split(', ').some((name) => removed.includes(name))) return true;
    if (before.trim() === '') inside = names;
    return false;
  });
  return left.length === lines.length ? text : left.join('\n').replace(/\n{3,}/g, '\n\n');
}
