import type { Core } from '../../core.ts';
import type { SignInStep } from '../../routes/login.ts';
import { auditRefused } from '../../session/sign-in.ts';
import { announceOutcomes } from '../../shared/sign-in-outcomes.ts';
import { clientCounters } from './client-networks.ts';
import { takePoints } from './take-points.ts';
import { answerTooOften } from './too-often.ts';

/** Limits how often a client signs in where addresses are believed, and so what it can leave in Redis. */
export function signInLimit({ config, redis, log }: Core): SignInStep {
  announceOutcomes('too often');
  const limits = [{ points: config.rateLimits.signInsPerDay, seconds: 86_400 }];
  return async function limitSignIns(req, res, form, email) {
    const waitMs = await takePoints(redis, clientCounters('sign-in', req.ip, limits));
    if (waitMs === 0) return true;
    auditRefused(log, req, 'too often', email);
    answerTooOften(req, res, form, Math.ceil(waitMs / 1000));
    return false;
  };
}
