// Optional: brings the code of a mail's link into the form, or shows it where no login waits for it. The code is
// in the fragment, which no server sees; it is taken out of the address at once, and so out of the history.
function takeCode() {
  const code = /^#(\d{8})$/.exec(location.hash)?.[1];
  if (!code) return false;
  history.replaceState(null, '', location.pathname);
  const field = document.querySelector('#code');
  const note = document.querySelector('#linked-code');
  if (field) {
    field.value = code;
    // Which of the waiting sign-ins the code is for, only the server can tell.
    if (document.querySelector('#other-codes')) field.form.querySelector('[name=email]')?.remove();
    // The browser gives the field its focus before it draws the first frame.
    requestAnimationFrame(() => field.form.querySelector('button').focus());
  } else if (note) {
    note.textContent = code.replace(/^(\d{4})/, '$1 ');
    note.hidden = false;
  }
  return true;
}

const goOn = document.querySelector('#go-on');
if (!takeCode() && goOn) location.replace(goOn.href);
// The link may be opened where this page stands already, which loads nothing.
addEventListener('hashchange', takeCode);
