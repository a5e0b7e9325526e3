export const escaped = (text: string): string => text.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`)

/** `body`: HTML. `refresh`: the address to which the page leads at once. */
export const layout = (title: string, body: string, refresh?: string): string =>
  `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">${
    refresh === undefined ? "" : `\n<meta http-equiv="refresh" content="0;url=${escaped(refresh)}">`
  }
<title>${escaped(title)}</title>
<style>body { font: 18px/1.5 system-ui, sans-serif; max-width: 32em; margin: 20vh auto; padding: 0 1em; color-scheme: light dark }</style>
<h1>${escaped(title)}</h1>
${body}
</html>
`

export const page = (text: string, ok: boolean): string =>
  layout(ok ? "Signed in" : "Not signed in", `<p>${escaped(text)}</p>`)
