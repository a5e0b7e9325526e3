/**
 * Elements. Text from outside becomes text nodes and nothing else, of bounded length.
 */

/**
 * An element with attributes and children. Strings become text.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Readonly<Record<string, string>>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

/**
 * An element of SVG with attributes and children.
 *
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Readonly<Record<string, string>>} attributes
 * @param {...Node} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export const graphic = (tag, attributes, ...children) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

/** The element of the page with this id. @param {string} id @returns {HTMLElement} */
export const byId = (id) => {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`The page has no #${id}`)
  return found
}

/** Writes only where something differs: what has not changed costs no layout. @param {Element} node @param {string} text */
export const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text
}

/** Removes the attribute where the value is undefined. @param {Element} node @param {string} name @param {string | undefined} value */
export const setAttribute = (node, name, value) => {
  if (value === undefined) node.removeAttribute(name)
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value)
}

/** @param {HTMLElement} node @param {boolean} visible */
export const show = (node, visible) => {
  if (node.hidden === visible) node.hidden = !visible
}

/** Text from outside in one line: without characters that control or reorder what stands around it. @param {string} text @param {number} [most] */
export const clean = (text, most = 600) => {
  const line = text.slice(0, most * 2).replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim()
  return line.length > most ? `${line.slice(0, most - 1)}…` : line
}

/** The same, and where it is cut, how much is left out and which command shows all. @param {string} text @param {number} most @param {string} command */
export const shortened = (text, most, command) => {
  const line = clean(text, 20_000)
  const left = line.length - most
  return left > 0 ? `${line.slice(0, most)}… (${left} characters left out: ${command})` : line
}
