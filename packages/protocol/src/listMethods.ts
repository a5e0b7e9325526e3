/** By the method that reads them; also where the entries stand in its results. */
export const lists = {
  "tools/list": "tools",
  "prompts/list": "prompts",
  "resources/list": "resources",
  "resources/templates/list": "resourceTemplates"
} as const

export type ListMethod = keyof typeof lists

export const listMethods = Object.keys(lists) as ReadonlyArray<ListMethod>

export const isList = (method: string): method is ListMethod => Object.hasOwn(lists, method)
