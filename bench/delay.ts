import type { Socket } from 'node:net';
import { startTcpLink, type TcpLink } from './tcp-link.ts';

/**
 * A TCP link to a local port whose answers arrive this much later. All that is due at once leaves in one write, so that a
 * busy link costs little more than an idle one.
 */
export function startDelay(port: number, delayMs: number): Promise<TcpLink> {
  return startTcpLink(port, (near, far) => {
    near.on('data', (bytes) => far.write(bytes));
    far.on('data', delayed(near, delayMs));
  });
}

/** Hands bytes on in their order, with one timer for all of them. */
function delayed(to: Socket, delayMs: number): (bytes: Buffer) => void {
  let waiting: { bytes: Buffer; dueAt: number }[] = [];
  function handOn(): void {
    const now = performance.now();
    const later = waiting.findIndex(({ dueAt }) => dueAt > now);
    const due = later === -1 ? waiting : waiting.slice(0, later);
    waiting = later === -1 ? [] : waiting.slice(later);
    if (due.length > 0)
      to.write(due.length === 1 ? (due[0]?.bytes ?? '') : Buffer.concat(due.map(({ bytes }) => bytes)));
    if (waiting.length > 0) setTimeout(handOn, (waiting[0]?.dueAt ?? now) - now);
  }
  return (bytes) => {
    waiting.push({ bytes, dueAt: performance.now() + delayMs });
    if (waiting.length === 1) setTimeout(handOn, delayMs);
  };
}
