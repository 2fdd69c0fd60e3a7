// Optional: logs in with passkeys, adds them, and tells passkey providers which ones are left. A browser without the
// JSON methods of PublicKeyCredential is shown none of it, except why a page of passkeys has no button.
const { PublicKeyCredential: passkeys } = globalThis;
const isAvailable =
  typeof passkeys?.parseRequestOptionsFromJSON === 'function' &&
  typeof passkeys.parseCreationOptionsFromJSON === 'function' &&
  typeof passkeys.prototype.toJSON === 'function';
/** How long the field waits with one challenge, which can be answered for five minutes. */
const renewMs = 240_000;
/** How long the server may take to answer. */
const answerMs = 15_000;
const offline = 'That did not work just now. Check your connection, then try again.';
const unavailable = 'That did not work just now. Please try again in a few seconds.';
const mayBeAdded = 'The passkey may have been added. Before you try again, look at the list of your passkeys.';
const waiting = { note: 'One moment…' };

async function post(path, body = {}) {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(answerMs),
  });
  // What is no JSON comes from the proxy in front of the server, or from whoever offers the network.
  const answer = await response.json().catch(() => undefined);
  if (!answer && response.ok) throw new TypeError('no JSON');
  const hasFailed = response.status >= 500;
  const error = hasFailed ? unavailable : offline;
  return { ok: response.ok, hasFailed, isLoginNeeded: response.status === 401, answer: answer ?? { error } };
}

/**
 * What the server reads of a credential. Extensions of password managers answer with objects of their own, on which
 * `toJSON()` and whatever else they did not think of throws.
 */
function toJson(credential) {
  try {
    return credential.toJSON();
  } catch {
    const { id, type, response } = credential;
    const names = ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle'];
    const parts = names.map((name) => [name, attempt(() => toBase64url(response[name]))]);
    const transports = attempt(() => response.getTransports());
    return { id, rawId: id, type, response: { ...Object.fromEntries(parts), transports } };
  }
}

/** @returns undefined if it throws */
function attempt(read) {
  try {
    return read();
  } catch {}
}

function toBase64url(buffer) {
  const text = btoa(String.fromCharCode(...new Uint8Array(buffer)));
  return text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '') || undefined;
}

/** Tells the provider that a passkey is no longer known here, so that it stops offering it. */
function signalUnknown(credential) {
  void passkeys.signalUnknownCredential?.(credential).catch(() => {});
}

/** A button, and two places below it that screen readers watch. */
function partsOf(box) {
  const [button, problem, status] = ['button', '[role=alert]', '[role=status]'].map((part) => box.querySelector(part));
  box.hidden = false;
  return {
    button,
    show({ error = '', note = '' } = {}) {
      problem.textContent = error;
      status.textContent = note;
    },
  };
}

function offerLogin(box) {
  const form = box.closest('form');
  const { button, show } = partsOf(box);
  /** The request that the browser is to answer; there can be one at a time. */
  let request;
  /** Whether the server is to answer what somebody asked for at the button, or with a passkey. */
  let isBusy = false;
  let renewal;
  /** Whether the field waits for the page to be seen again. */
  let isPaused = false;

  /** Each time with a new challenge, so that whoever is asked has the full five minutes. */
  async function ask(mediation) {
    clearTimeout(renewal);
    request?.abort();
    request = new AbortController();
    const { signal } = request;
    const { ok, answer: options } = await post('/login/passkey/options');
    if (!ok) throw new Error(options.error);
    signal.throwIfAborted();
    if (!mediation) {
      // The browser shows by itself that it waits.
      isBusy = false;
      show();
    }
    const publicKey = passkeys.parseRequestOptionsFromJSON(options);
    return navigator.credentials.get({ publicKey, signal, ...(mediation && { mediation }) });
  }

  async function send(credential) {
    isBusy = true;
    clearTimeout(renewal);
    show({ note: 'Checking your passkey…' });
    const problem = await logIn(credential).catch(() => offline);
    isBusy = false;
    if (!problem) return;
    show({ error: problem });
    void waitInField();
  }

  /** @returns why nobody is logged in; undefined if somebody is */
  async function logIn(credential) {
    const next = form.elements.next?.value;
    const remember = form.elements.remember.checked;
    const { ok, answer } = await post('/login/passkey', { credential: toJson(credential), next, remember });
    if (answer.unknownCredential) signalUnknown(answer.unknownCredential);
    if (!ok) return answer.error;
    // A form that is kept on this page is still to be sent; what logs in opens a new tab then.
    if (form.target) show({ note: 'You are logged in. Go on with what you were doing on this page.' });
    else location.assign(answer.next);
  }

  /** Offers passkeys in the address field, among what the browser fills in. A page that nobody sees asks for nothing. */
  async function waitInField() {
    isPaused = document.hidden;
    if (isPaused) return request?.abort();
    const earlier = request;
    const isPossible = await passkeys.isConditionalMediationAvailable?.();
    // The button may have been pressed meanwhile; what it asks for goes first.
    if (isBusy || !isPossible || request !== earlier) return;
    try {
      const asked = ask('conditional');
      renewal = setTimeout(waitInField, renewMs);
      const credential = await asked;
      if (credential) await send(credential);
    } catch {
      // Nobody asked for it, so nobody misses it; the button says what is wrong.
    }
  }

  button.addEventListener('click', async () => {
    if (isBusy) return;
    isBusy = true;
    show(waiting);
    const asked = ask();
    const own = request;
    try {
      const credential = await asked;
      if (credential) await send(credential);
    } catch (error) {
      // Another one has taken its place, and says what becomes of it.
      if (request !== own) return;
      isBusy = false;
      if (error.name === 'AbortError') return show();
      const isOurs = error.name === 'Error' && error.message;
      show({ error: isOurs || explain(error, 'No passkey was used. Try again, or log in with your e-mail address.') });
      void waitInField();
    }
  });
  addEventListener('pagehide', () => request?.abort());
  addEventListener('pageshow', ({ persisted }) => persisted && void waitInField());
  document.addEventListener('visibilitychange', () => isPaused && void waitInField());
  void waitInField();
}

function explain(error, otherwise) {
  return error instanceof TypeError || error.name === 'TimeoutError' ? offline : otherwise;
}

function offerAdding(box) {
  const { button, show } = partsOf(box);
  const { owner } = document.documentElement.dataset;
  const { next } = box.dataset;
  let isBusy = false;
  box.closest('section').hidden = false;

  async function add() {
    const { ok, isLoginNeeded, answer: options } = await post('/passkeys/options', { owner });
    if (isLoginNeeded) return logInAgain();
    if (!ok) return show({ error: options.error });
    show();
    const publicKey = passkeys.parseCreationOptionsFromJSON(options);
    const credential = await navigator.credentials.create({ publicKey });
    show({ note: 'Adding your passkey…' });
    const noAnswer = () => ({ hasFailed: true });
    const added = await post('/passkeys', { owner, next, credential: toJson(credential) }).catch(noAnswer);
    if (added.ok) return location.assign(added.answer.next);
    // It may have been added all the same, so the device keeps it. The list tells the provider which ones there are.
    if (added.hasFailed) return show({ error: mayBeAdded });
    signalUnknown({ rpId: options.rp.id, credentialId: credential.id });
    if (added.isLoginNeeded) return logInAgain();
    show({ error: added.answer.error });
  }

  function logInAgain() {
    location.assign(`/passkeys/add${next === '/passkeys' ? '' : `?next=${encodeURIComponent(next)}`}`);
  }

  button.addEventListener('click', async () => {
    if (isBusy) return;
    isBusy = true;
    show(waiting);
    try {
      await add();
    } catch (error) {
      const isThere = error.name === 'InvalidStateError';
      const otherwise = isThere
        ? 'There is already a passkey for this address. You can log in with it.'
        : 'No passkey was added. You can try again whenever you like.';
      show({ error: explain(error, otherwise) });
    }
    isBusy = false;
  });
}

/** Tells the provider which passkeys are left, and how the address is written now (WebAuthn, 5.1.10). */
function signal({ rpId, userId, ids, name }) {
  const signals = [
    passkeys.signalAllAcceptedCredentials?.({ rpId, userId, allAcceptedCredentialIds: ids }),
    name && passkeys.signalCurrentUserDetails?.({ rpId, userId, name, displayName: name }),
  ];
  for (const sent of signals) sent?.catch?.(() => {});
}

const [loginBox, addBox, signals] = ['login', 'add', 'signals'].map((part) =>
  document.querySelector(`[data-passkey-${part}]`),
);
if (isAvailable) {
  if (loginBox) offerLogin(loginBox);
  if (addBox) offerAdding(addBox);
  if (signals) signal(JSON.parse(signals.dataset.passkeySignals));
} else if (addBox?.dataset.passkeyAdd === 'on the way') {
  location.replace(addBox.dataset.next);
} else if (addBox) {
  document.querySelector('[data-passkey-none]').hidden = false;
}
