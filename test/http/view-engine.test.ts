import { registerEjs } from '../../src/http/view-engine.ts';
import { describeViews } from './view-tests.ts';

describeViews(registerEjs);
