import { afterAll } from 'vitest';
import { runSteps } from './afterwards.ts';

// Vitest runs this anew for each test file, also where files share their modules.
afterAll(runSteps);
