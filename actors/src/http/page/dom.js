// The document. What comes from the gateway gets into it as text and in no other
// way; the Content-Security-Policy forbids the others.

const at = (id) => document.getElementById(id);

/** Sets text where it is another: what is selected stays so, nothing is read out twice. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** An element with these attributes and children; texts are made visible. */
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.map((child) => (child instanceof Node ? child : plain(child))));
  return node;
}

const svgElement = (tag, attributes = {}) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};

/** Text with what stands between backticks as code. */
const quoted = (text) => text.split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));

/**
 * Makes the children of `list` those of `items`, in their order. One whose key stays is
 * kept and updated, so that focus, selection and what is folded open outlive a look.
 */
function fill(list, items, key, create, update = () => {}) {
  const kept = new Map([...list.children].map((node) => [node.dataset.key, node]));
  let next = list.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let node = kept.get(name);
    kept.delete(name);
    if (!node) {
      node = create(item);
      node.dataset.key = name;
    }
    update(node, item);
    if (node === next) next = next.nextElementSibling;
    else list.insertBefore(node, next);
  }
  for (const node of kept.values()) node.remove();
}

/** Fills a table's body with rows of texts. */
function rows(body, items, key, cells, numbers = []) {
  const create = (item) => {
    const row = make("tr");
    cells(item).forEach((_, column) => {
      row.append(column ? make("td") : make("th", { scope: "row" }));
      if (numbers.includes(column)) row.lastChild.className = "number";
    });
    return row;
  };
  const update = (row, item) => cells(item).forEach((text, column) => say(row.children[column], plain(text)));
  fill(body, items, key, create, update);
}

/** Fills a list of terms and what is said of each. */
function terms(list, pairs) {
  const create = ([term]) => make("div", {}, make("dt", {}, term), make("dd"));
  fill(list, pairs, ([term]) => term, create, (node, [, text, level]) => {
    say(node.lastChild, plain(text));
    node.dataset.level = level ?? "";
  });
}

/** Reads JSON of the gateway; fails with a reason for the eye. */
async function ask(path, signal) {
  const limit = AbortSignal.timeout(5000);
  const either = signal ? AbortSignal.any([signal, limit]) : limit;
  try {
    const answer = await fetch(path, { cache: "no-store", signal: either });
    if (!answer.ok) throw new Error(`${answer.status}: ${(await answer.text()).trim().slice(0, 200)}`);
    return await answer.json();
  } catch (error) {
    if (error.name === "TimeoutError") throw new Error("No answer within five seconds");
    if (error instanceof TypeError) throw new Error("The connection was refused or cut");
    throw error;
  }
}
