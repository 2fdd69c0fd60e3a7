// Optional: shows each time in the visitor's own time zone, in the page's language; without it, pages say UTC.
const page = document.documentElement.lang;
const locale =
  navigator.languages.find((language) => language.split('-')[0] === page) ?? (page === 'en' ? 'en-GB' : page);
const format = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' });
for (const time of document.querySelectorAll('time[datetime]')) {
  time.textContent = format.format(new Date(time.dateTime));
  time.lang = format.resolvedOptions().locale;
  time.dir = 'auto';
}
