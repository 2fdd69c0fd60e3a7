import type { Server } from 'node:http';
import type { RequestHandler, Response } from 'express';
import type { Core, Service } from '../../core.ts';
import { HttpError } from '../../http/http-error.ts';
import { connectionsOf } from '../../http/http-server.ts';
import type { SessionLimits } from '../../session/lifetime.ts';
import { isSessionId } from '../../session/session-id.ts';
import { readSessionId } from '../../shared/read-session-id.ts';
import { announcements } from './announcements.ts';
import { emptyStream, sayNobody } from './answers.ts';
import { maxOpenFiles, maxStreamsWithin } from './open-files.ts';
import { Streams } from './streams.ts';

export type LiveTabs = {
  /** Takes the place of the one that ends sessions in silence. */
  endScript: string;
  /** Whether pages take part. */
  isOn: boolean;
  openStream: RequestHandler;
  service: Service;
  /** Closes the streams with the server, and keeps them from taking connections and open files that pages need. */
  attach: (server: Server) => void;
};

/** Browsers that are refused come back much later by themselves (public/live-tabs/live-tabs.js). */
const retryAfterSeconds = 60;
/** Of the connections that pages may have. Behind it, pages will soon need all of them. */
const maxUsed = 0.9;

/**
 * Tells open pages that their session has ended, by server-sent events: one stream for each browser. It costs Redis a
 * command when it is opened, and none while nothing happens; in a Cluster, the first stream of an address also subscribes
 * to its channel. A stream does not count as use of the session.
 */
export function openLiveTabs(core: Core, limits: SessionLimits): LiveTabs {
  const { config, log, store } = core;
  const { maxStreams } = config.liveTabs;
  const isOn = maxStreams > 0;
  const streams = new Streams({ store, limits });
  const ends = announcements(core, {
    onEnded: (digest) => streams.end(digest),
    onGap: () => streams.recheck(),
  });
  let server: Server | undefined;

  function hasRoom(): boolean {
    const pages = server ? connectionsOf(server).size - streams.size : 0;
    const maxPages = server ? server.maxConnections - streams.size : Number.POSITIVE_INFINITY;
    return streams.hasRoom && pages < maxPages * maxUsed;
  }

  const openStream: RequestHandler = async function openStream(req, res, next) {
    if (!isOn) return next('route');
    const site = req.headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin') throw new HttpError(403, 'This address is for our own pages.');
    if (!hasRoom()) return refuse(res);
    // Behind an unfinished answer on the same connection: nothing would say when this browser goes.
    const isPipelined = res.socket === null;
    if (req.method === 'HEAD' || isPipelined) return void emptyStream(res).end();
    const sessionId = readSessionId(req, core);
    if (!isSessionId(sessionId)) return sayNobody(res);
    const leave = await ends.follow(sessionId);
    if (res.destroyed) return leave();
    // Others may have come while Redis was being asked.
    if (!hasRoom()) {
      leave();
      return refuse(res);
    }
    await streams.open(sessionId, res, leave);
  };

  return {
    endScript: ends.endScript,
    isOn,
    openStream,
    service: {
      async start() {
        if (!isOn) return;
        streams.start();
        await ends.start();
      },
      async stop() {
        ends.stop();
        streams.close();
      },
    },
    attach(httpServer) {
      server = httpServer;
      const openFiles = maxOpenFiles();
      const allowed = maxStreamsWithin(openFiles, maxStreams, httpServer.maxConnections);
      if (allowed < maxStreams) {
        log.warn({ openFiles, maxStreams: allowed }, 'too few open files are allowed for LIVE_TABS_MAX');
      }
      const onCountChange = (change: number) => {
        httpServer.maxConnections += change;
      };
      streams.attach({ maxStreams: allowed, onCountChange });
      httpServer.once('closing', () => streams.close());
    },
  };
}

function refuse(res: Response): void {
  // After a `no-store`, Chromium would not keep the page for Back.
  res.set({ 'Retry-After': String(retryAfterSeconds), 'Cache-Control': 'no-cache' });
  res.status(503).type('text').send('Too many pages are open at the moment.\n');
}
