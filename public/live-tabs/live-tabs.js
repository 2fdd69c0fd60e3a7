// Optional: tells every tab of this browser at once that its session has ended. One visible tab listens for all of them,
// and the session guard of each then asks whether its page may still be shown. Tabs that miss the message ask when they
// become visible.
const { owner } = document.documentElement.dataset;
/** A page that is soon left needs no stream. */
const settleMs = 300;
/** So that browsers don't all ask at the same moment when everybody's sessions are ended. */
const maxSpreadMs = 500;
/** So that a process which restarts does not get all browsers back at once. */
const [firstRetryMs, maxRetryMs, refusedRetryMs] = [10_000, 120_000, 120_000];
/** What a stream says in place of an owner: browsers drop an event without data. */
const nobody = 'nobody';

let tabs;
let listening;
let failures = 0;
/** By `performance.now()`: the system clock may be set back meanwhile. */
let mayRetryAt = 0;

/** Listens, or waits until the tab that does so is closed or hidden. */
function start() {
  // Locks need https, or this machine.
  if (listening || !tabs || !navigator.locks || document.visibilityState !== 'visible') return;
  listening = new AbortController();
  const { signal } = listening;
  navigator.locks.request('live-tabs', { signal }, () => listen(signal)).catch(() => {});
}

function stop() {
  listening?.abort();
  listening = undefined;
}

async function listen(signal) {
  await pause(Math.max(settleMs, mayRetryAt - performance.now()), signal);
  while (!signal.aborted) {
    await untilClosed(signal);
    await pause(mayRetryAt - performance.now(), signal);
  }
}

/** Hears one stream to its end. It says whose session this browser has, and says so again when that changes. */
function untilClosed(signal) {
  return new Promise((done) => {
    const stream = new EventSource('/session-events');
    const close = () => {
      stream.close();
      done();
    };
    signal.addEventListener('abort', close);
    stream.onmessage = ({ data }) => {
      failures = 0;
      if (data === owner) return;
      stop();
      setTimeout(tell, Math.random() * maxSpreadMs, tabs, data === nobody ? '' : data);
    };
    stream.onerror = () => {
      const isRefused = stream.readyState === EventSource.CLOSED;
      const retryMs = isRefused ? refusedRetryMs : Math.min(firstRetryMs * 2 ** failures, maxRetryMs);
      failures += 1;
      mayRetryAt = performance.now() + (isRefused ? retryMs / 2 : 0) + Math.random() * retryMs;
      close();
    };
  });
}

/**
 * The guards of all tabs then ask the server, with the cookie that the browser has by that time. If somebody has logged in
 * since, they have asked.
 */
function tell(channel, ownerNow) {
  if (channel === tabs && !listening) channel.postMessage(ownerNow);
}

function pause(ms, signal) {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      done();
    });
  });
}

// Pages tell each other who has logged in.
function open() {
  tabs = new BroadcastChannel('session-owner');
  tabs.onmessage = ({ data }) => {
    if (data === owner) start();
    else stop();
  };
  start();
}

if (owner) {
  open();
  document.addEventListener('visibilitychange', () => (document.visibilityState === 'visible' ? start() : stop()));
  // A message of another owner may have been a false alarm.
  document.addEventListener('session-confirmed', start);
  // Pages with a connection or a lock are not kept in the browser's memory.
  addEventListener('pagehide', () => {
    stop();
    tabs.close();
    tabs = undefined;
  });
  addEventListener('pageshow', ({ persisted }) => {
    if (persisted) open();
  });
}
