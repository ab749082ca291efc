// The words of the scripts in the language of the page: gettext("Live every {seconds} s", { seconds }). In English they
// are as they stand; for another language words/<language>.js, which `make messages` writes, came before.
(() => {
  const catalogue = globalThis.words ?? {};
  const plural = new Intl.PluralRules(document.documentElement.lang);
  const filled = (text, values) => text.replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place);

  globalThis.gettext = (text, values = {}) => filled(catalogue[text] ?? text, values);

  globalThis.ngettext = (one, many, n, values = {}) => {
    const forms = catalogue[one] ?? [one, many];
    return filled(forms[plural.select(n) === "one" ? 0 : forms.length - 1], { n, ...values });
  };
})();
