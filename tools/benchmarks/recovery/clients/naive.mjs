/**
 * What programs write around the official Client that does not come back: on any error, a new client, and the call once more.
 */
import { client as official } from "./official-v1.mjs"

/** @type {import("../client.js").Client} */
export const client = {
  id: "naive",
  name: "a new Client v1 on any error",
  package: official.package,
  transports: official.transports,
  documentation: official.documentation,
  open: async (target, hooks) => {
    let current = official.open(target, hooks)
    await current
    /** Begins anew where nobody has done so meanwhile. @param {typeof current} failed */
    const anew = (failed) => {
      if (current === failed) {
        current = failed.then(({ close }) => close()).catch((error) => hooks.log(String(error))).then(() =>
          official.open(target, hooks)
        )
        // Whoever calls next sees it.
        current.catch(() => {})
      }
      return current
    }
    return {
      call: async (args, options) => {
        const used = current
        try {
          return await (await used).call(args, options)
        } catch {
          return (await anew(used)).call(args, options)
        }
      },
      close: async () => (await current).close()
    }
  }
}
