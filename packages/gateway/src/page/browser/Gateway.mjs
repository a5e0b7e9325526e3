/**
 * The gateway's API, as the page uses it.
 */
import { clean } from "./dom.mjs"

/** The gateway has answered that it will not. */
export class Refused extends Error {}

/** The gateway asks for a token, or for another one. */
export class Locked extends Refused {}

/** Where the token is kept: by this tab, until it is closed. */
const key = "lifeline.token"

/** A tab may be forbidden to keep anything; then it remembers as long as the page is open. @type {string | undefined} */
let token = (() => {
  try {
    return sessionStorage.getItem(key) ?? undefined
  } catch {
    return undefined
  }
})()

/** Whether there is a token. */
export const hasToken = () => token !== undefined

/** Keeps a token, or forgets it. @param {string | undefined} next */
export const setToken = (next) => {
  token = next
  try {
    if (next === undefined) sessionStorage.removeItem(key)
    else sessionStorage.setItem(key, next)
  } catch {
    // It is remembered as long as the page is open.
  }
}

/** What an answer says of its failure. @param {Response} response */
const problemOf = async (response) => {
  const text = await response.text().catch(() => "")
  try {
    const { error, message } = JSON.parse(text)
    const found = message ?? error?.message ?? error
    if (typeof found === "string") return found
  } catch {
    // It is no JSON.
  }
  return text.trim() || `HTTP ${response.status}`
}

/**
 * A request. Throws `Locked` where the token is missing or wrong, and `Refused` with a sentence of the gateway where it answers otherwise.
 *
 * @param {string} path
 * @param {RequestInit} [options]
 */
export const request = async (path, options = {}) => {
  const headers = new Headers(options.headers)
  // Without it nothing may be changed.
  headers.set("X-Lifeline", "1")
  if (token !== undefined) headers.set("Authorization", `Bearer ${token}`)
  const response = await fetch(`api/${path}`, { ...options, headers, cache: "no-store", redirect: "error" }).catch(
    (cause) => {
      throw new Error("The gateway does not answer", { cause })
    }
  )
  if (response.ok) return response
  const problem = clean(await problemOf(response))
  throw response.status === 401 ? new Locked(problem) : new Refused(problem)
}

/** How long an answer may take. */
const patience = 10_000

/** Something that is read once. @param {string} path @returns {Promise<any>} */
export const get = async (path) => (await request(path, { signal: AbortSignal.timeout(patience) })).json()

/** An action on a server; gives what the gateway answered. @param {string} server @param {string} action @returns {Promise<any>} */
export const act = async (server, action) => {
  const response = await request(`servers/${encodeURIComponent(server)}/${action}`, {
    method: "POST",
    // Longer: it may wait for a server to start.
    signal: AbortSignal.timeout(6 * patience)
  })
  return response.json().catch(() => undefined)
}
