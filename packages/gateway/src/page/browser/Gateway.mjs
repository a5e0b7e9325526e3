/** The gateway's API, as the page uses it. */
import { clean } from "./words.mjs"

/** The gateway has answered that it will not. */
export class Refused extends Error {}

/** The gateway asks for a token, or for another one. */
export class Locked extends Refused {}

/** Where this tab keeps the token until it is closed. */
const key = "lifeline.token"

/** Undefined where it fails: text may be no JSON, and a tab may be forbidden to keep anything. @template A @param {() => A} use */
const attempt = (use) => {
  try {
    return use()
  } catch {
    return undefined
  }
}

let token = attempt(() => sessionStorage.getItem(key)) ?? undefined

/** Whether there is a token. */
export const hasToken = () => token !== undefined

/** Keeps a token, or forgets it. @param {string | undefined} next */
export const setToken = (next) => {
  token = next
  attempt(() => next === undefined ? sessionStorage.removeItem(key) : sessionStorage.setItem(key, next))
}

/** What an answer says of its failure. @param {Response} response */
const problemOf = async (response) => {
  const text = await response.text().catch(() => "")
  const { error, message } = attempt(() => JSON.parse(text)) ?? {}
  const found = message ?? error?.message ?? error
  return typeof found === "string" ? found : text.trim() || `HTTP ${response.status}`
}

/** Throws `Locked` where the token is missing or wrong, and `Refused` with a sentence of the gateway where it answers otherwise. @param {string} path @param {RequestInit} options */
export const request = async (path, options) => {
  // Without the first header nothing may be changed.
  const headers = { "X-Lifeline": "1", ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }) }
  const response = await fetch(`api/${path}`, { ...options, headers, cache: "no-store", redirect: "error" }).catch(
    (cause) => {
      throw new Error("The gateway does not answer", { cause })
    }
  )
  if (response.ok) return response
  const problem = clean(await problemOf(response))
  throw response.status === 401 ? new Locked(problem) : new Refused(problem)
}

/** Something that is read once. @param {string} path @returns {Promise<any>} */
export const get = async (path) => (await request(path, { signal: AbortSignal.timeout(10_000) })).json()

/** An action on a server, which may wait for its start; gives what the gateway answered. @param {string} server @param {string} action @returns {Promise<any>} */
export const act = async (server, action) => {
  const path = `servers/${encodeURIComponent(server)}/${action}`
  const response = await request(path, { method: "POST", signal: AbortSignal.timeout(60_000) })
  return response.json().catch(() => undefined)
}
