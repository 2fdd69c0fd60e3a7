import type { Socket } from 'node:net';
import type { Response } from 'express';

/** What one browser is listening to. */
export type Stream = {
  sessionId: string;
  digest: string;
  /** The client's: the streams that a session may have are shared out among networks. */
  network: string | undefined;
  /** Until the stream begins. */
  res: Response | undefined;
  /** From then on. */
  socket: Socket | undefined;
  /** When heartbeats are due. */
  turn: number;
  signedInAt: number;
  endsAt: number;
  /** Whether its session was ended while Redis was being asked about it. */
  isEnded: boolean;
};

/**
 * The stream to close when a session has too many: the oldest one of the network that has the most.
 * A stolen cookie that is used elsewhere can't take the owner's only stream away, and a browser whose old connections
 * are dead still gets a new one.
 * @param streams the oldest first
 */
export function streamToClose(streams: Stream[]): Stream | undefined {
  const countOf = ({ network }: Stream) => streams.filter((other) => other.network === network).length;
  const maxCount = Math.max(...streams.map(countOf));
  return streams.find((stream) => countOf(stream) === maxCount);
}
