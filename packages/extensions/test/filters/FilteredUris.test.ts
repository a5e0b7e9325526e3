import type { Connection } from "@mcp-lifeline/core"
import type { ListFilter } from "@mcp-lifeline/extensions"
import * as fc from "fast-check"
import { posix } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import { decode, FilteredLists } from "../../src/filters/FilteredLists.js"

const offered = (
  resources: ListFilter | undefined,
  lists: { uris?: Array<string>; templates?: Array<string> } = {}
) => {
  const one = new FilteredLists(decode({ resources }))
  const { templates = [], uris = [] } = lists
  one.lists({
    tools: [],
    prompts: [],
    resources: uris.map((uri) => ({ name: uri, uri })),
    resourceTemplates: templates.map((uriTemplate) => ({ name: uriTemplate, uriTemplate })),
    truncated: []
  }, { isFiltered: false } as Connection)
  return one
}

/** A way in which a server finds the resource of a URI: its path, on the host that it has; nothing where it refuses the URI. */
type Reader = (uri: string) => { readonly host: string; readonly path: string } | undefined

const tried = (read: Reader): Reader => (uri) => {
  try {
    return read(uri)
  } catch {
    return undefined
  }
}

/** Like Python's `unquote`: what is no escape stays, and bytes that are no text become something else. */
const unquoted = (text: string): string =>
  text.replaceAll(/(?:%[\da-f]{2})+/gi, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString("utf8"))

const cut = (text: string, ...marks: ReadonlyArray<string>): string =>
  marks.reduce((text, mark) => text.split(mark, 1)[0] ?? "", text)

/** Like Python's `urlparse`. */
const parsed = (uri: string) => {
  const [, scheme = "", host = "", path = ""] = /^([a-z][a-z\d+.-]*):(?:\/\/([^/?#]*))?([^?#]*)/i.exec(uri) ?? []
  return { scheme: scheme.toLowerCase(), host: host.toLowerCase(), path }
}

const fileReaders: Readonly<Record<string, Reader>> = {
  fileURLToPath: (uri) => ({ host: "", path: fileURLToPath(uri, { windows: false }) }),
  "the path of new URL": (uri) => ({ host: "", path: new URL(uri).pathname }),
  "the decoded path of new URL": (uri) => ({ host: "", path: decodeURIComponent(new URL(uri).pathname) }),
  "urlparse and unquote": (uri) => ({ host: "", path: unquoted(parsed(uri).path) }),
  "urlparse of what is decoded": (uri) => ({ host: "", path: parsed(unquoted(uri)).path }),
  "decoded twice": (uri) => ({ host: "", path: unquoted(unquoted(parsed(uri).path)) }),
  "what stands after file://": (uri) => ({ host: "", path: uri.replace(/^file:\/\//i, "") }),
  "what stands after file://, decoded": (uri) => ({ host: "", path: unquoted(uri.replace(/^file:\/\//i, "")) }),
  "without a fragment": (uri) => ({ host: "", path: cut(unquoted(uri), "#", "?").replace(/^file:\/\//i, "") })
}

/** What a file system makes of a path; some take backslashes for slashes. */
const places = (path: string): ReadonlyArray<string> =>
  path.startsWith("/") || path.startsWith("\\")
    ? [posix.normalize(path), posix.resolve(path.replaceAll("\\", "/"))]
    : []

const token = fc.constantFrom(
  ...[
    "/",
    "/",
    "//",
    "\\",
    "%2F",
    "%2f",
    "%5C",
    "%252f",
    "etc",
    "etc",
    "%65tc",
    "e%74c",
    "passwd",
    "pub",
    "p%75b",
    "a.md"
  ],
  ...[
    "..",
    ".",
    "%2e%2e",
    "%2E.",
    "%252e%252e",
    "?",
    "#",
    "%3f",
    "%23",
    "?.md",
    "#.md",
    "localhost",
    "x",
    "%ff",
    "%",
    "\t"
  ]
)

const fileUri = fc.tuple(
  fc.constantFrom(
    "file://",
    "file:///",
    "FILE:///",
    "file:/",
    "file:",
    "File://localhost/",
    "file:////",
    "file:\\\\",
    "file:///pub/"
  ),
  fc.array(token, { maxLength: 10 })
).map(([start, tokens]) => start + tokens.join(""))

describe("a resource under another spelling", () => {
  const numRuns = 300

  it.each<[ListFilter | undefined, Array<string>]>([
    [{ hide: ["file:///etc/*"] }, []],
    [{ hide: ["file:///etc/*"] }, ["file:///{+path}"]],
    [{ hide: ["file:///etc/*", "file:///etc"] }, ["file:///pub/{name}", "file:///{+path}"]]
  ])("[G19:unit] what %j hides no server reads, whatever the URI", (resources, templates) => {
    const one = offered(resources, { templates })
    let hidden = 0
    fc.assert(
      fc.property(fileUri, (uri) => {
        if (!one.has("resources", uri)) {
          hidden++
          return
        }
        for (const [name, reader] of Object.entries(fileReaders)) {
          const found = tried(reader)(uri)
          for (const place of places(found?.path ?? "")) {
            assert.isFalse(place.startsWith("/etc/"), `${name} reads ${place} of ${JSON.stringify(uri)}`)
          }
        }
      }),
      { numRuns, examples: [["file://%2f%ff/e%74c/"]] }
    )
    assert.isAbove(hidden, 10)
  })

  it.each<[string, RegExp, Array<string>]>([
    ["file:///pub/*", /^\/pub(\/|$)/, []],
    ["file:///pub/*", /^\/pub(\/|$)/, ["file:///pub/{name}", "file:///{+path}"]],
    ["file:///pub/{name}", /^\/pub(\/|$)/, ["file:///pub/{name}"]],
    ["*.md", /\.md$/, []]
  ])("[G19:unit] with only %j no server reads anything else, whatever the URI", (pattern, allowed, templates) => {
    const one = offered({ only: [pattern] }, { templates })
    let read = 0
    fc.assert(
      fc.property(fileUri, (uri) => {
        if (!one.has("resources", uri)) return
        read++
        for (const [name, reader] of Object.entries(fileReaders)) {
          const found = tried(reader)(uri)
          for (const place of places(found?.path ?? "")) {
            assert.match(place, allowed, `${name} of ${JSON.stringify(uri)}`)
          }
        }
      }),
      { numRuns, examples: [["file:///pub/a.md"]] }
    )
    assert.isAbove(read, 0)
  })

  const webUri = fc.tuple(
    fc.constantFrom("https", "HTTPS", "Https"),
    fc.constantFrom("://", ":", ":/", ":///", ":\\\\"),
    fc.constantFrom("", "user@", "a:b@"),
    fc.constantFrom("docs.example", "DOCS.example", "docs.example.", "%64ocs.example", "other.example"),
    fc.constantFrom("", ":443", ":", ":0443", ":8443"),
    fc.array(token, { maxLength: 8 }),
    fc.constantFrom("/secret/a", "/%73ecret/a", "/secret//a", "/secret/a?x=1", "/secret/a#x", "\\secret\\a")
  ).map(([scheme, mark, user, host, port, tokens, end]) =>
    `${scheme}${mark}${user}${host}${port}/${tokens.join("")}${end}`
  )

  it("[G19:unit] the same on a host: neither its case, its port nor a user lead around it", () => {
    const one = offered({ hide: ["https://docs.example/secret/*"] })
    const readers: ReadonlyArray<Reader> = [
      (uri) => ({ host: new URL(uri).host, path: new URL(uri).pathname }),
      (uri) => ({ host: new URL(uri).host, path: unquoted(new URL(uri).pathname) }),
      (uri) => ({ host: parsed(uri).host, path: unquoted(parsed(uri).path) })
    ]
    fc.assert(
      fc.property(webUri, (uri) => {
        if (!one.has("resources", uri)) return
        for (const reader of readers) {
          const { host = "", path = "" } = tried(reader)(uri) ?? {}
          if (host.replace(/^.*@/, "").replace(/\.?(:(0?443)?)?$/, "") !== "docs.example") continue
          for (const place of places(path)) assert.isFalse(place.startsWith("/secret/"), JSON.stringify(uri))
        }
      }),
      { numRuns }
    )
    assert.isTrue(one.has("resources", "https://docs.example/open/a"))
    assert.isTrue(one.has("resources", "https://docs.example:8443/secret/a"))
  })

  it.each<[string, ReadonlyArray<string>]>([
    ["file:///etc/*", [
      "file:////etc/passwd",
      "file:///tmp/..//etc/passwd",
      "file:///tmp//..//etc/passwd",
      "file:///tmp/%2e%2e/etc/passwd",
      "file:///tmp%2F..%2Fetc%2Fpasswd",
      "file:///%2565tc/passwd",
      "file:///etc/%ff/../passwd",
      "file://a%2fb/etc/passwd",
      "file:\\\\a%2fb\\etc\\passwd",
      "file:\\\\\\etc\\passwd",
      "file:/etc/passwd",
      "file:etc/passwd",
      "FILE://LOCALHOST/etc/passwd",
      "file://elsewhere/etc/passwd",
      "file:///etc/passwd?a=b",
      "file:///etc/passwd#a",
      " file:///etc/passwd",
      "file:///e\ttc/passwd"
    ]],
    ["file:///readme", ["file:///readme?x", "file:///readme/", "file:///readme/.", "file:///a/../readme"]],
    ["https://Docs.example:443/a b", ["https://docs.example/a%20b", "https://me@docs.example./a%20b/"]],
    ["db://users/rows", [
      "DB://USERS/rows",
      "db://users//rows",
      "db://users/rows?limit=5",
      "db://users/x/../rows",
      "db://USERS/Rows",
      "db://me@users/rows"
    ]],
    ["https://h/doc?id=1", ["https://h/doc?id=1#x"]],
    ["x:/etc/*", ["x:/%2Fetc/a", "x:/.%2Fetc/a", "x:/%2e/etc/a", "x:%2Fetc/a"]],
    ["note:a/b", ["note:a//b", "NOTE:a/./b", "note:a%2fb"]]
  ])("[G19:unit] %s hides %j", (pattern, uris) => {
    const one = offered({ hide: [pattern] })
    assert.deepStrictEqual(uris.filter((uri) => one.has("resources", uri)), [])
  })

  it("[G19:unit] what is not meant stays", () => {
    const has = (resources: ListFilter | undefined, uri: string, lists = {}) =>
      offered(resources, lists).has("resources", uri)
    assert.isTrue(has({ hide: ["file:///etc/*"] }, "file:///tmp/etc/passwd"))
    assert.isTrue(has({ hide: ["https://h/doc?id=1"] }, "https://h/doc?id=2"))
    // A server that lists both tells them apart.
    const uris = ["https://h/doc", "https://h/doc?id=2"]
    assert.isTrue(has({ hide: ["https://h/doc"] }, "https://h/doc?id=2", { uris }))
    assert.isFalse(has({ hide: ["https://h/doc"] }, "https://h/doc?id=3", { uris }))
    assert.isTrue(has({ only: ["https://h/doc?id=*"] }, "https://h/doc?id=5"))
    assert.isTrue(has({ only: ["https://h/*"] }, "https://h/doc?u=http://x//y"))
    assert.isTrue(has({ only: ["note://{id}"] }, "note://a%2Fb", { templates: ["note://{id}"] }))
    assert.isTrue(has({ only: ["https://h/doc{?id}"] }, "https://h/doc?id=5", { templates: ["https://h/doc{?id}"] }))
    assert.isTrue(has({ only: ["https://h/doc?id={id}"] }, "https://h/doc?id=5"))
    assert.isTrue(has({ hide: ["x:y"] }, "file:////srv//a", { uris: ["file:////srv//a"] }))
    assert.isTrue(has({ only: ["file:///a?c"] }, "file:///abc"))
  })

  it("[G19:unit] a listed resource that is hidden is not read under another spelling, though a template stands for it", () => {
    const one = offered({ only: ["*{+*", "file:///a"] }, {
      uris: ["file:///a", "file:///b"],
      templates: ["file:///{+path}"]
    })
    assert.isTrue(one.has("resources", "file:///a"))
    assert.isTrue(one.has("resources", "file:///c"))
    for (const uri of ["file:///b", "file:////b", "file:///x/../b", "FILE:///b", "file:///%62"]) {
      assert.isFalse(one.has("resources", uri), uri)
    }
  })

  it("[G19:unit] a pattern with an expression means the URIs that it stands for, listed or not, and is missed only where none is", () => {
    const uris = ["db://a/rows", "db://b/rows/1", "db://c/d/rows", "db://e/columns"]
    const cases: ReadonlyArray<[ListFilter, shown: Array<string>, unlisted: boolean]> = [
      [{ only: ["db://{table}/rows"] }, ["db://a/rows"], true],
      [{ only: ["db://{+path}/rows"] }, ["db://a/rows", "db://c/d/rows"], true],
      [{ only: ["db://{table}/rows", "db://e/*"] }, ["db://a/rows", "db://e/columns"], true],
      [{ only: ["db://{table}/rows"], hide: ["db://a/*"] }, [], true],
      [{ hide: ["db://{table}/rows"] }, ["db://b/rows/1", "db://e/columns"], false]
    ]
    for (const [resources, shown, unlisted] of cases) {
      const one = offered(resources, { uris })
      assert.deepStrictEqual(uris.filter((uri) => one.has("resources", uri)), shown, JSON.stringify(resources))
      assert.strictEqual(one.has("resources", "db://z/rows"), unlisted, JSON.stringify(resources))
      assert.deepStrictEqual(one.unmatched, [])
    }
    for (
      const resources of [{ only: ["db://{table}/cells"] }, { only: ["db://{a}/d/{b}/e"] }, {
        only: ["db://{c}/rows/2"]
      }]
    ) {
      assert.deepStrictEqual(offered(resources, { uris }).unmatched.map(({ pattern }) => pattern), resources.only)
    }
    assert.isFalse(offered({ only: ["https://h/{user}/open"] }).has("resources", "https://h/secret?/open"))
    const [tooDeep] = offered({ only: ["db://{table}/rows"] }, { uris: ["db://c/d/rows"] }).unmatched
    assert.strictEqual(tooDeep?.pattern, "db://{table}/rows")
  })
})
