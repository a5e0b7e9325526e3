/**
 * The page that a browser shows after a login.
 */

const escaped = (text: string): string => text.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`)

/** A page with one sentence. */
export const page = (text: string, ok: boolean): string =>
  `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${ok ? "Signed in" : "Not signed in"}</title>
<style>body { font: 18px/1.5 system-ui, sans-serif; max-width: 32em; margin: 20vh auto; padding: 0 1em; color-scheme: light dark }</style>
<h1>${ok ? "Signed in" : "Not signed in"}</h1>
<p>${escaped(text)}</p>
</html>
`
