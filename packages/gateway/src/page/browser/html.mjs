/** Elements. What stands in a template becomes text, never markup. */
import htm from "htm"
import { h } from "preact"

export const html = htm.bind(h)
