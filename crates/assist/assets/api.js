// The one place that talks to the server.

/** A request that the server refused, or (`status` 0) that did not reach it. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** GET without a body, POST with one; the answer's JSON. */
export async function call(path, body, options = {}) {
  if (body !== undefined) {
    options = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), ...options };
  }
  let answer, text;
  try {
    answer = await fetch(path, { signal: AbortSignal.timeout(20000), ...options });
    text = await answer.text();
  } catch (error) {
    throw new Refused(0, error.message);
  }
  let json = {};
  try {
    json = JSON.parse(text);
  } catch {
    if (answer.ok && text) throw new Refused(0, 'not JSON');
  }
  if (!answer.ok) throw new Refused(answer.status, json.error ?? `${answer.status} ${answer.statusText}`);
  return json;
}

/** A key that no other decision has. `crypto.randomUUID` is missing on plain-HTTP addresses of a network. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Resolves after so many milliseconds. */
export const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
