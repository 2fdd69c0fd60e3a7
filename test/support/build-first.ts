import { expect } from 'vitest';
import { builtFile } from './process.ts';

// Otherwise the first test of a run that starts a server would have to build it within its own time.
if (/\.(?:process|faults|timed)\.test\.ts$/.test(expect.getState().testPath ?? '')) builtFile('server.js');
