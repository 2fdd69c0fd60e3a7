// Optional: sends the code as soon as its last digit is there, and holds "Send a new code" back for a moment.
const form = document.querySelector('#code-form');
const field = document.querySelector('#code');
const again = document.querySelector('#send-again');

// Says, before anything is entered, that the last digit sends the code (WCAG 3.2.2).
function showHint() {
  document.querySelector('#code-hint').hidden = false;
  field.setAttribute('aria-describedby', `${field.getAttribute('aria-describedby')} code-hint`);
}

function watchField() {
  let isSent = false;
  // After a wrong code, only a person's own keys or clipboard count: software that fills in the same code again would
  // send it without end.
  let mayFollow = !field.hasAttribute('aria-invalid');
  for (const gesture of ['keydown', 'paste']) {
    field.addEventListener(gesture, (event) => {
      mayFollow ||= event.isTrusted;
    });
  }
  field.addEventListener('input', () => {
    const typed = field.value.replace(/[\s\p{Pd}\p{Cf}.]/gu, '');
    if (isSent || !mayFollow || !/^\p{Nd}{8}$/u.test(typed)) return;
    isSent = true;
    form.requestSubmit();
  });
}

// Counts by `performance.now()`: the system clock may be set meanwhile. A browser that translates pages may have changed
// the words of the button, so these stay as they are.
function countDown() {
  const rest = again.appendChild(document.createElement('span'));
  // The button lays out its parts one by one, without the spaces between them.
  rest.style.whiteSpace = 'pre';
  const end = performance.now() + Number(again.dataset.waitSeconds) * 1000;
  const timer = setInterval(show, 250);
  function show() {
    const seconds = Math.ceil((end - performance.now()) / 1000);
    again.disabled = seconds > 0;
    rest.textContent = seconds > 0 ? ` in ${seconds} s` : '';
    if (seconds <= 0) clearInterval(timer);
  }
  show();
}

if (field) {
  showHint();
  watchField();
}
if (again?.dataset.waitSeconds) countDown();
