// Optional: a signed-in page is not seen again once its session has ended, neither when the browser brings it back from
// memory, nor in another tab. Without this script, `no-store` makes the browser ask for every page that it has not kept
// in memory.
const page = document.documentElement;
const { owner } = page.dataset;
const notice = document.createElement('main');
notice.innerHTML = `<section class="card" role="alert">
  <h1>Your session has ended</h1>
  <p>What you have entered is still on this page. Log in again to go on with it.</p>
  <a class="button primary" href="/login" target="_blank">Log in (opens a new tab)</a>
</section>`;

/** Shows the page only if it belongs to whoever is signed in now. */
async function check({ otherwise = () => {} } = {}) {
  try {
    const response = await fetch('/session-owner', { cache: 'no-store' });
    if (!response.ok) otherwise();
    else if ((await response.text()) === owner) reveal();
    else conceal();
  } catch {
    otherwise();
  }
}

function reveal() {
  notice.remove();
  for (const part of document.body.children) part.hidden = false;
  page.hidden = false;
}

// What was typed is kept, out of sight, until its owner has logged in again. A page without that is loaded anew.
function conceal() {
  if (!hasEntries()) return loadAnew();
  for (const part of document.body.children) part.hidden = true;
  document.body.append(notice);
  notice.hidden = false;
  page.hidden = false;
}

function hasEntries() {
  return [...document.querySelectorAll('input:not([type=hidden]), textarea')].some(
    (field) => field.value !== field.defaultValue || field.checked !== field.defaultChecked,
  );
}

// By GET, and under the same address.
function loadAnew() {
  page.hidden = true;
  location.replace(location.pathname + location.search);
}

// Pages tell each other who is signed in. One that was made without knowing, such as that of a 503, has no owner.
let tabs;
function listen() {
  tabs = new BroadcastChannel('session-owner');
  tabs.onmessage = () => check();
}
listen();
if (owner !== undefined) tabs.postMessage(owner);

if (owner) {
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') void check();
  });
  // It goes into the browser's memory hidden, and so comes back hidden. While it is there, messages would end it.
  addEventListener('pagehide', () => {
    page.hidden = true;
    tabs.close();
  });
  addEventListener('pageshow', ({ persisted }) => {
    if (!persisted) return;
    listen();
    void check({ otherwise: loadAnew });
  });
} else {
  tabs.close();
}
