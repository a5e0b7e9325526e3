/**
 * The methods of the protocol that read lists. Pure.
 */

/** The lists by the method that reads them, and where the entries stand in its results. */
export const lists = {
  "tools/list": "tools",
  "prompts/list": "prompts",
  "resources/list": "resources",
  "resources/templates/list": "resourceTemplates"
} as const

/** A method that reads a list. */
export type ListMethod = keyof typeof lists

/** All of them. */
export const listMethods = Object.keys(lists) as ReadonlyArray<ListMethod>

/** Whether a method reads a list. */
export const isList = (method: string): method is ListMethod => Object.hasOwn(lists, method)
