/**
 * Read once, so that nothing behind it reads another path out of a target. Pure.
 */
import { cached } from "./Guard.js"

/** RFC 3986, and `[]{}|` that clients send as they are: no dot segment can hide in these. */
const form = /^\/(?!\/)[\w.~!$&'()*+,;=:@%[\]{}|/-]*(?:\?[!-~]*)?$/
const dots = /(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i
/** Slash, backslash, control characters, and what is no encoding. */
const encoded = /%(?:2f|5c|[01][\da-f]|7f|(?![\da-f]{2}))/i
/** In the name of a server, slashes and backslashes are encoded. */
const named = /^((?:\/[\w.~-]+)*\/(?:api|cluster)\/servers\/)([^/]+)/
const slashes = /%(?:2f|5c)/gi

/** Without the query; `undefined` if programs may read different paths out of it. */
export const pathOf = cached((target: string): string | undefined => {
  if (!form.test(target)) return undefined
  const path = target.split("?", 1)[0] ?? target
  const rest = path.replace(named, (_, before: string, name: string) => before + name.replace(slashes, ""))
  return dots.test(path.replace(slashes, "/")) || encoded.test(rest) ? undefined : path
})
