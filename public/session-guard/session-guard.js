// Optional: a signed-in page is not seen again once its session has ended, neither when the browser brings it back from
// memory, nor in another tab. Without this script, `no-store` makes the browser ask for every page that it has not kept
// in memory.
const page = document.documentElement;
const { owner } = page.dataset;
const [{ responseStatus } = {}] = performance.getEntriesByType('navigation');
const notice = document.createElement('main');
const ended = 'Your session has ended';
const replaced = 'Somebody else has logged in';
const unreachable = 'This page can’t be shown just now';
/** What of the page was visible, and where its visitor was. */
let hiddenParts = [];
let lastFocused;
let lastScrollY = 0;
/** What the notice and the title said as they were written: a browser that translates pages changes both. */
let shownHeading = '';
let lastTitle = '';
/** What each notice says where something was typed, and where its link leads. */
const offerWithEntries = {
  [ended]: {
    text: 'What you entered is still on this page. Log in again to continue.',
    href: '/login',
    target: '_blank',
    label: 'Log in (opens a new tab)',
  },
  // The login form is for nobody who is signed in.
  [replaced]: {
    text: 'What you entered is still on this page. To continue, log out, then log in with the address that you used here.',
    href: '/logout',
    target: '_blank',
    label: 'Log out (opens a new tab)',
  },
  [unreachable]: {
    text: 'What you entered is still on this page. It comes back by itself, at most two minutes after this site can be reached again.',
  },
};
const offerWithoutEntries = () => ({ text: 'Log in again to see this page.', href: address(), label: 'Log in' });
const titlePrefix = 'Session ended – ';
/** While a form is being sent, such as that of "Log out", its answer says what has become of the session. */
const sendingMs = 1500;
let sentAt = Number.NEGATIVE_INFINITY;
/** A network may take a question and never answer it. */
const answerMs = 15_000;
/** How many questions were asked, and which is the latest that was answered: what was asked before it is out of date. */
let asked = 0;
let answered = 0;

/** Shows the page only if it belongs to whoever is signed in now. */
async function check(options = {}) {
  const { otherwise = () => {}, isBack = false } = options;
  if (performance.now() - sentAt < sendingMs) return setTimeout(check, sendingMs, options);
  asked += 1;
  const question = asked;
  const isOutdated = () => question < answered;
  const fail = () => isOutdated() || otherwise();
  try {
    const response = await fetch('/session-owner', { cache: 'no-store', signal: AbortSignal.timeout?.(answerMs) });
    const ownerNow = await response.text();
    // A page comes from the proxy in front of the server, or from whoever offers the network.
    if (!response.ok || !/^[\w-]*$/.test(ownerNow)) return fail();
    if (isOutdated()) return;
    answered = question;
    if (ownerNow === owner) {
      reveal();
      document.dispatchEvent(new Event('session-confirmed'));
    } else if (!hasEntries() && (ownerNow !== '' || isBack)) loadAnew();
    else conceal(ownerNow === '' ? ended : replaced);
  } catch {
    fail();
  }
}

/** Asks until there is an answer: the session is said to have changed, or the site could not be reached. */
function checkUntilAnswered(delayMs) {
  const again = () => checkUntilAnswered(Math.min(delayMs * 2, 60_000));
  void check({ otherwise: () => setTimeout(again, delayMs * (0.5 + Math.random())) });
}

/** For a page with entries, which would be lost if it were loaded anew. */
function waitUntilAnswered() {
  conceal(unreachable);
  checkUntilAnswered(1000);
}

function reveal() {
  page.hidden = false;
  if (!notice.isConnected) return;
  notice.remove();
  document.title = lastTitle;
  for (const part of hiddenParts) part.hidden = false;
  lastFocused?.focus({ preventScroll: true });
  scrollTo({ top: lastScrollY, behavior: 'instant' });
}

/** Puts a notice in place of the page. What was typed is kept, out of sight, until the page is shown again. */
function conceal(heading) {
  page.hidden = false;
  if (notice.isConnected && (heading === shownHeading || heading === unreachable)) return;
  writeNotice(heading);
  if (!notice.isConnected) {
    lastTitle = document.title;
    lastFocused = document.activeElement;
    lastScrollY = scrollY;
    hiddenParts = [...document.body.children].filter((part) => !part.hidden);
    for (const part of hiddenParts) part.hidden = true;
    document.body.append(notice);
  }
  if (heading !== unreachable) document.title = titlePrefix + lastTitle;
  notice.querySelector('h1').focus({ focusVisible: false });
}

function writeNotice(heading) {
  shownHeading = heading;
  const { text, label, ...link } = hasEntries() ? offerWithEntries[heading] : offerWithoutEntries();
  notice.innerHTML = `<section class="card" role="alert">
    <h1 tabindex="-1">${heading}</h1>
    <p>${text}</p>
    ${label ? `<a class="button primary">${label}</a>` : ''}
  </section>`;
  if (label) Object.assign(notice.querySelector('a'), link);
}

function hasEntries() {
  const fields = [...document.querySelectorAll('input:not([type=hidden]), textarea')];
  return (
    fields.some(isFilled) ||
    [...document.querySelectorAll('select')].some(isChanged) ||
    document.querySelector('[contenteditable]:not([contenteditable=false])') !== null ||
    holdsSentForm()
  );
}

/** The answer to a form that was refused, or that failed, has what was typed as the values that its fields began with. */
function holdsSentForm() {
  const forms = [...document.querySelectorAll('form[method=post]:not([action="/login"])')];
  return responseStatus >= 400 && forms.some(({ elements }) => [...elements].some(({ name, value }) => name && value));
}

// The value of a checkbox without a `value` is "on", its default value is empty.
function isFilled({ type, value, defaultValue, checked, defaultChecked }) {
  return ['checkbox', 'radio'].includes(type) ? checked !== defaultChecked : value !== defaultValue;
}

function isChanged({ options, multiple, selectedIndex }) {
  const hasDefault = [...options].some((option) => option.defaultSelected);
  if (!multiple && !hasDefault) return selectedIndex > 0;
  return [...options].some((option) => option.selected !== option.defaultSelected);
}

/** With the origin: a path such as `//evil.example/` alone would lead to another site. */
function address() {
  return location.origin + location.pathname + location.search;
}

// By GET, and under the same address.
function loadAnew() {
  page.hidden = true;
  location.replace(address());
}

/**
 * A login form makes way once somebody has logged in in another tab, unless something was typed into it. The answer to a
 * form that was sent can't be loaded again.
 */
function leaveLogin({ data }) {
  const form = document.querySelector('form[action="/login"]');
  if (data === '' || !form || hasEntries()) return;
  if (responseStatus === 200 || (responseStatus === 401 && leadsBack(form))) loadAnew();
}

/** Whether logging in leads to this very address. What a form that was sent here would lose counts as an entry. */
function leadsBack({ elements }) {
  return (elements.next?.value ?? '/admin') === location.pathname + location.search;
}

// Pages tell each other who is signed in. One that was made without knowing, such as that of a 503, has no owner.
let tabs;
function listen() {
  tabs = new BroadcastChannel('session-owner');
  tabs.onmessage = owner ? () => checkUntilAnswered(1000) : leaveLogin;
}
listen();
if (owner !== undefined) tabs.postMessage(owner);

if (owner) {
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') void check();
  });
  addEventListener('online', () => notice.isConnected && void check());
  addEventListener('submit', ({ defaultPrevented }) => {
    if (!defaultPrevented) sentAt = performance.now();
  });
}

if (owner === undefined) tabs.close();
else {
  // A signed-in page goes into the browser's memory hidden, and so comes back hidden. While a page is there, messages
  // would end it.
  addEventListener('pagehide', () => {
    page.hidden ||= Boolean(owner);
    tabs.close();
  });
  addEventListener('pageshow', ({ persisted }) => {
    if (!persisted) return;
    sentAt = Number.NEGATIVE_INFINITY;
    listen();
    if (owner) void check({ otherwise: () => (hasEntries() ? waitUntilAnswered() : loadAnew()), isBack: true });
  });
}
