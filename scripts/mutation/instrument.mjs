// Puts all mutants of some sources into them, each switched on at run time by its id in `__stryker__.activeMutant`.
// JavaScript, since the types of the instrumenter fit neither TypeScript 7 nor `exactOptionalPropertyTypes`.
import { Instrumenter } from '@stryker-mutator/instrumenter';

const quiet = () => {};
const isOff = () => false;
const logger = {
  ...{ trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet, fatal: quiet },
  ...{ isTraceEnabled: isOff, isDebugEnabled: isOff, isInfoEnabled: isOff },
  ...{ isWarnEnabled: isOff, isErrorEnabled: isOff, isFatalEnabled: isOff },
};

/** See instrument.d.mts. */
export async function instrument(sources) {
  const names = Object.keys(sources);
  const programs = [];
  const messages = new Set();
  const keyOf = (file, { line, column }) => `${file}:${line}:${column}`;
  // It ignores nothing: a condition inside the template of a message is mutated like any other.
  const noteMessages = {
    shouldIgnore(path) {
      const program = path.scope.getProgramParent().path.node;
      if (programs.at(-1) !== program) programs.push(program);
      if (!path.isStringLiteral() && !path.isTemplateLiteral()) return;
      const { line, column } = path.node.loc.start;
      if (path.findParent(isMessage)) messages.add(keyOf(names[programs.length - 1], { line: line - 1, column }));
    },
  };
  const files = Object.entries(sources).map(([name, content]) => ({ name, content, mutate: true }));
  const options = { plugins: null, excludedMutations: [], ignorers: [noteMessages] };
  const instrumented = await new Instrumenter(logger).instrument(files, options);
  if (programs.length !== files.length) throw new Error('the instrumenter no longer visits each file once, in order');
  return {
    code: Object.fromEntries(instrumented.files.map(({ name, content }) => [name, content])),
    mutants: instrumented.mutants.map(({ fileName: file, id, mutatorName, location, replacement }) => {
      const isMessage = mutatorName === 'StringLiteral' && messages.has(keyOf(file, location.start));
      return { file, id, location, replacement, isMessage };
    }),
  };
}

/** An error that is made, or a line that is logged. */
function isMessage({ node }) {
  if (node.type === 'NewExpression') return /Error$|^RedisUnavailable$/.test(node.callee.name ?? '');
  const isCall = node.type === 'CallExpression' && node.callee.type === 'MemberExpression';
  return isCall && ['info', 'warn', 'error', 'debug', 'fatal'].includes(node.callee.property.name);
}
