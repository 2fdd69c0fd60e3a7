// Vitest's runner in a worker: after the test that it begins with, it runs what the driver asks for.
import { readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type File, type Suite, startTests, type Task as TestTask } from '@vitest/runner';
import { TestRunner, vi } from 'vitest';
import { type Job, outsideTests, type Result, receive, send, type Task } from './protocol.ts';

type Counts = Record<string, number>;

/** How the instrumented sources learn which mutant is on, and where they count the ones that are reached. */
type Switch = {
  activeMutant: string | undefined;
  currentTestId: string | undefined;
  hitCount: number;
  hitLimit: number;
  mutantCoverage: { static: Counts; perTest: Record<string, Counts> };
};

type VitestModule = { file: string; promise: unknown; exports: unknown; evaluated: boolean; importers: Set<string> };
/** What Vitest keeps for a worker, as far as it has to be changed between test files. */
type VitestWorker = { filepath?: string; evaluatedModules: { idToModuleMap: Map<string, VitestModule> } };

declare global {
  var __stryker__: Switch;
  var __vitest_worker__: VitestWorker;
}

const project = fileURLToPath(new URL('../..', import.meta.url));

globalThis.__stryker__ = {
  ...{ activeMutant: undefined, currentTestId: undefined, hitCount: 0 },
  // Only a loop without an end reaches its mutant that often.
  hitLimit: 1_000_000,
  mutantCoverage: { static: {}, perTest: {} },
};

let isServing = false;

export default class MutationRunner extends TestRunner {
  override async onAfterRunFiles(): Promise<void> {
    super.onAfterRunFiles();
    if (isServing) return;
    isServing = true;
    const unhandled: unknown[] = [];
    // Vitest's own listeners leave such an error to these.
    for (const event of ['uncaughtException', 'unhandledRejection'])
      process.on(event, (error) => unhandled.push(error));
    const job: Job = JSON.parse(readFileSync(process.env.LATCHKEY_MUTATION_JOB ?? '', 'utf8'));
    const socket = createConnection(job.socket);
    const runner = newFileRunner(this);
    for await (const task of receive<Task>(socket)) send(socket, await perform(task, runner, unhandled));
  }
}

type FileRunner = TestRunner & {
  firstFailure: TestTask | undefined;
  testMs: Record<string, number>;
  /** Is told of a test that timed out; what it left behind may keep the hooks after it from ending. */
  onTimeout: (file: File) => void;
};

/** Runs test files without telling Vitest's main process, and stops at the first failure. */
function newFileRunner(vitest: TestRunner): FileRunner {
  const own = {
    firstFailure: undefined,
    testMs: {},
    onTimeout: () => {},
    onTaskUpdate: undefined,
    onCollected: undefined,
    onCollectStart: TestRunner.prototype.onCollectStart,
    onAfterRunFiles: TestRunner.prototype.onAfterRunFiles,
    async onBeforeRunSuite(this: FileRunner, suite: Suite) {
      globalThis.__stryker__.currentTestId = outsideTests;
      await TestRunner.prototype.onBeforeRunSuite.call(this, suite);
    },
    async onBeforeRunTask(this: FileRunner, test: Parameters<TestRunner['onBeforeRunTask']>[0]) {
      globalThis.__stryker__.currentTestId = test.id;
      await TestRunner.prototype.onBeforeRunTask.call(this, test);
    },
    onAfterRunTask(this: FileRunner, test: Parameters<TestRunner['onAfterRunTask']>[0]) {
      globalThis.__stryker__.currentTestId = outsideTests;
      TestRunner.prototype.onAfterRunTask.call(this, test);
      this.testMs[test.id] = test.result?.duration ?? 0;
      if (test.result?.state !== 'fail') return;
      this.firstFailure ??= test;
      if (isTimeout(test)) this.onTimeout(test.file);
      this.cancel('test-failure');
    },
  };
  return Object.assign(Object.create(vitest), own);
}

async function perform(task: Task, runner: FileRunner, unhandled: unknown[]): Promise<Result> {
  const { evaluatedModules } = globalThis.__vitest_worker__;
  for (const module of evaluatedModules.idToModuleMap.values()) {
    const isReloaded = task.reload ? /^(src|test)\//.test(module.file.replace(project, '')) : module.file === task.file;
    if (isReloaded) Object.assign(module, { promise: undefined, exports: undefined, evaluated: false });
    if (isReloaded) module.importers.clear();
  }
  globalThis.__vitest_worker__.filepath = task.file;
  const { mutantCoverage } = globalThis.__stryker__;
  for (const id of Object.keys(mutantCoverage.static)) delete mutantCoverage.static[id];
  mutantCoverage.perTest = {};
  Object.assign(globalThis.__stryker__, { activeMutant: task.mutant, currentTestId: undefined, hitCount: 0 });
  Object.assign(runner, { cancelRun: false, firstFailure: undefined, testMs: {} });
  unhandled.length = 0;

  const { testTimeout, hookTimeout } = runner.config;
  if (task.timeoutMs) Object.assign(runner.config, { testTimeout: task.timeoutMs, hookTimeout: task.timeoutMs });
  const timedOut = new Promise<File[]>((done) => {
    runner.onTimeout = (file) => done([file]);
  });
  const [file] = await Promise.race([startTests([{ filepath: task.file, testIds: task.testIds }], runner), timedOut]);
  Object.assign(runner.config, { testTimeout, hookTimeout });
  globalThis.__stryker__.activeMutant = undefined;
  // As Vitest does between files.
  vi.resetConfig();
  vi.restoreAllMocks();
  const { [outsideTests]: outside = {}, ...inTests } = mutantCoverage.perTest;
  return {
    ...failureOf(file, runner, unhandled),
    testMs: runner.testMs,
    reachedByLoading: Object.keys(mutantCoverage.static),
    reachedOutsideTests: Object.keys(outside),
    reachedByTests: Object.fromEntries(Object.entries(inTests).map(([id, counts]) => [id, Object.keys(counts)])),
  };
}

function failureOf(file: File | undefined, { firstFailure }: FileRunner, unhandled: unknown[]) {
  const failed = firstFailure ?? (file?.result?.state === 'fail' ? file : undefined);
  if (failed) {
    const message = messageOf(failed) ?? 'a hook failed';
    const failedTest = failed.type === 'test' ? { failedTest: failed.id } : {};
    return { failure: `${failed.name}: ${message}`, ...failedTest, isTimeout: isTimeout(failed) };
  }
  if (!file) return { failure: 'the file did not run', isTimeout: false };
  return unhandled.length > 0 ? { failure: `unhandled: ${unhandled[0]}`, isTimeout: false } : { isTimeout: false };
}

function isTimeout(task: TestTask): boolean {
  return /^(Test|Hook) timed out in /.test(messageOf(task) ?? '');
}

function messageOf(task: TestTask): string | undefined {
  return task.result?.errors?.[0]?.message;
}
