import { dirname, join } from 'node:path';
import { SyntaxKind } from 'typescript/unstable/ast';
import { createVirtualFileSystem } from 'typescript/unstable/fs';
import { API } from 'typescript/unstable/sync';

/** Where statements, members and elements stand. */
const lists = new Set([
  SyntaxKind.SourceFile,
  SyntaxKind.Block,
  SyntaxKind.ModuleBlock,
  SyntaxKind.CaseBlock,
  SyntaxKind.CaseClause,
  SyntaxKind.DefaultClause,
  SyntaxKind.ObjectLiteralExpression,
  SyntaxKind.ArrayLiteralExpression,
  SyntaxKind.TypeLiteral,
  SyntaxKind.InterfaceDeclaration,
  SyntaxKind.ClassDeclaration,
  SyntaxKind.UnionType,
]);
/** What has a name that nothing else goes by. */
const keyed = new Set([
  SyntaxKind.PropertyAccessExpression,
  SyntaxKind.PropertyAssignment,
  SyntaxKind.PropertySignature,
  SyntaxKind.PropertyDeclaration,
  SyntaxKind.MethodSignature,
  SyntaxKind.MethodDeclaration,
]);

/**
 * @typedef {object} Unit A statement, member or element that has its lines to itself.
 * @property {Unit} [within] the one around it
 * @property {number} from where its lines begin, with those of the comment above it
 * @property {number} to where they end
 * @property {string[]} names what it uses, apart from the units within it
 * @property {string[]} modules the relative paths in it, as seen from the top of the project
 * @property {string[]} binds what it declares or imports
 * @property {boolean} isImport
 */

/**
 * Code without the statements, members and elements that name a module which is gone, or use what an import or
 * a declaration that goes has bound.
 * @param {Map<string, string>} texts of files, by the files' names
 * @param {string[]} gone files and folders
 * @throws {SyntaxError} that says where
 */
export function withoutUses(texts, gone) {
  return new Map([...parse(texts)].map(([file, source]) => [file, withoutUsesIn(source, file, gone)]));
}

function withoutUsesIn(source, /** @type {string} */ file, /** @type {string[]} */ gone) {
  const units = unitsOf(source, file);
  const left = new Set(units);
  /** @type {{ name: string, scope?: Unit }[]} */
  const bound = [];
  const isGone = (/** @type {Unit} */ unit) =>
    unit.modules.some((path) => isBelow(path, gone)) ||
    bound.some(({ name, scope }) => unit.names.includes(name) && isWithin(unit, scope));
  for (let before = 0; before !== left.size; ) {
    before = left.size;
    for (const unit of left) {
      if (!unit.within || !isGone(unit)) continue;
      bound.push(...unit.binds.map((name) => ({ name, scope: unit.within })));
      for (const other of left) if (isWithin(other, unit)) left.delete(other);
    }
  }
  const used = new Set([...left].flatMap(({ names }) => names));
  const cuts = units.flatMap((unit) => {
    const unused = unit.isImport ? unit.binds.filter((name) => !used.has(name)) : [];
    const isUnused = unused.length > 0 && unused.length === unit.binds.length;
    return isUnused || !left.has(unit) ? [unit] : unused.map((name) => importOf(name, unit, source.text));
  });
  return withoutCuts(source.text, cuts);
}

/** The syntax trees of files, by the files' names. */
function parse(/** @type {Map<string, string>} */ texts) {
  const files = [...texts.keys()];
  const compilerOptions = { allowJs: true, noLib: true, noResolve: true, types: [] };
  const api = new API({
    cwd: '/',
    fs: createVirtualFileSystem({
      '/tsconfig.json': JSON.stringify({ compilerOptions, files }),
      ...Object.fromEntries([...texts].map(([file, text]) => [`/${file}`, text])),
    }),
  });
  const { program } = api.updateSnapshot({ openProjects: ['/tsconfig.json'] }).getProject('/tsconfig.json');
  const trees = new Map(files.map((file) => [file, program.getSourceFile(`/${file}`)]));
  const [error] = program.getSyntacticDiagnostics();
  api.close();
  if (error) {
    const file = error.fileName.slice(1);
    const { line } = trees.get(file).getLineAndCharacterOfPosition(error.pos);
    throw new SyntaxError(`${file}:${line + 1} ${error.text}`);
  }
  return trees;
}

function unitsOf(source, /** @type {string} */ file) {
  /** @type {Unit[]} */
  const units = [];
  const visit = (node, /** @type {Unit | undefined} */ around) => {
    let unit = around;
    const lines = !around || lists.has(node.parent.kind) ? linesOf(node, source.text) : undefined;
    if (lines) {
      unit = {
        within: around,
        ...lines,
        names: [],
        modules: [],
        binds: boundBy(node),
        isImport: node.kind === SyntaxKind.ImportDeclaration,
      };
      units.push(unit);
    }
    if (node.kind === SyntaxKind.Identifier && !isKey(node)) unit.names.push(node.text);
    if (node.kind === SyntaxKind.StringLiteral && node.text.startsWith('.')) {
      unit.modules.push(join(dirname(file), node.text));
    }
    if (node.kind !== SyntaxKind.ImportClause) node.forEachChild((child) => visit(child, unit));
  };
  visit(source, undefined);
  return units;
}

/** The lines of a node, with those of the comment above it, unless other code is on them. */
function linesOf(node, /** @type {string} */ text) {
  const start = node.getStart();
  const above = /(?:(?<=^|\n)[^\S\n]*(?:\/\/|\/\*|\*).*\n)*[^\S\n]*(?:\| )?$/.exec(text.slice(0, start))?.[0] ?? '';
  const behind = /^[,;]?[^\S\n]*(?:\/\/.*|\/\*.*\*\/)?(?:\n|$)/.exec(text.slice(node.end))?.[0];
  const from = start - above.length;
  if (behind === undefined || !(from === 0 || text[from - 1] === '\n')) return undefined;
  return { from, to: node.end + behind.length };
}

/** Whether a name is that of a property, and so of nothing that was declared or imported. */
function isKey(node) {
  const { parent } = node;
  if (parent.propertyName === node || (parent.kind === SyntaxKind.QualifiedName && parent.right === node)) return true;
  return parent.name === node && keyed.has(parent.kind);
}

/** @returns {string[]} */
function boundBy(node) {
  switch (node.kind) {
    case SyntaxKind.ImportDeclaration:
      return [...namesIn(node.importClause), ...namesIn(node.importClause?.namedBindings)];
    case SyntaxKind.VariableStatement:
      return node.declarationList.declarations.flatMap(namesIn);
    case SyntaxKind.FunctionDeclaration:
    case SyntaxKind.ClassDeclaration:
    case SyntaxKind.InterfaceDeclaration:
    case SyntaxKind.TypeAliasDeclaration:
    case SyntaxKind.EnumDeclaration:
      return namesIn(node);
    default:
      return [];
  }
}

/** The names that a declaration, a pattern or a list of imports gives. */
function namesIn(node) {
  if (node?.elements) return node.elements.flatMap(namesIn);
  if (node?.name) return namesIn(node.name);
  return node?.text === undefined ? [] : [node.text];
}

/** Where an import names something in its braces, with the comma behind. */
function importOf(/** @type {string} */ name, /** @type {Unit} */ unit, /** @type {string} */ text) {
  const found = new RegExp(`(?:\\btype )?(?:\\w+ as )?\\b${name}\\b,?`).exec(text.slice(unit.from, unit.to));
  return { from: unit.from + found.index, to: unit.from + found.index + found[0].length };
}

function isWithin(/** @type {Unit | undefined} */ unit, /** @type {Unit | undefined} */ other) {
  return unit !== undefined && (unit === other || isWithin(unit.within, other));
}

function withoutCuts(/** @type {string} */ text, /** @type {{ from: number, to: number }[]} */ cuts) {
  let left = '';
  let end = 0;
  for (const { from, to } of cuts.toSorted((one, other) => one.from - other.from)) {
    if (from > end) left += text.slice(end, from);
    end = Math.max(end, to);
  }
  return left + text.slice(end);
}

/** Whether a file is one of these, or in one of these folders. */
export function isBelow(/** @type {string} */ file, /** @type {string[]} */ paths) {
  return paths.some((path) => file === path || file.startsWith(`${path}/`));
}
