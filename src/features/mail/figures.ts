import { figures } from '../../shared/figures.ts';

/** Why a mail will never be delivered. */
export type FailureReason = 'refused' | 'lapsed';

const reasons: FailureReason[] = ['refused', 'lapsed'];
const buckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 3600];

const named = {
  sent: { name: 'latchkey_mails_sent_total', help: 'Mails that the mail server has accepted, by kind' },
  deferred: {
    name: 'latchkey_mails_deferred_total',
    help: 'Attempts after which a mail was put back for a retry, by kind',
  },
  failed: { name: 'latchkey_mails_failed_total', help: 'Mails that were given up, by kind and reason' },
  seconds: { name: 'latchkey_mail_seconds', help: 'From the request for a mail to its acceptance by the mail server' },
  queued: { name: 'latchkey_mails_queued', help: 'Undelivered mails, of all processes' },
  oldest: { name: 'latchkey_mail_oldest_seconds', help: 'The age of the oldest undelivered mail' },
  available: { name: 'latchkey_mail_server_available', help: 'Whether the mail server accepts mail: 1 or 0' },
};

/** Publishes every figure with its initial value, so that all series exist from the start. */
export function publishZeros(kinds: string[]): void {
  publishQueue(0, 0);
  publishAvailable(true);
  for (const kind of kinds) {
    figures.publish({ ...named.sent, labels: { kind }, add: 0 });
    figures.publish({ ...named.deferred, labels: { kind }, add: 0 });
    figures.publish({ ...named.seconds, labels: { kind }, observe: undefined, buckets });
    for (const reason of reasons) figures.publish({ ...named.failed, labels: { kind, reason }, add: 0 });
  }
}

export function publishSent(kind: string, ageMs: number): void {
  figures.publish({ ...named.sent, labels: { kind }, add: 1 });
  figures.publish({ ...named.seconds, labels: { kind }, observe: ageMs / 1000, buckets });
}

export function publishDeferred(kind: string): void {
  figures.publish({ ...named.deferred, labels: { kind }, add: 1 });
}

export function publishFailed(kind: string, reason: FailureReason): void {
  figures.publish({ ...named.failed, labels: { kind, reason }, add: 1 });
}

export function publishQueue(queued: number, oldestMs: number): void {
  figures.publish({ ...named.queued, set: queued });
  figures.publish({ ...named.oldest, set: oldestMs / 1000 });
}

export function publishAvailable(isAvailable: boolean): void {
  figures.publish({ ...named.available, set: isAvailable ? 1 : 0 });
}
