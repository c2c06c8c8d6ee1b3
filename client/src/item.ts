/**
 * One item of a storage that may be full, forbidden or gone. What cannot be written is used from memory and written later,
 * unless somebody else has written in the meantime. No function here fails.
 */
import type { ClientStorage } from './platform.ts'

/** For a storage that never answers. */
const patienceMs = 3_000

export function keepItem(storage: ClientStorage, key: string) {
  /** What the storage holds, as far as this page knows. */
  let stored: string | null = null
  /** What it should hold instead; `undefined` when it does. */
  let unsaved: string | null | undefined

  /** Returns whether the storage could be read. */
  async function look(): Promise<boolean> {
    const get = () => storage.getItem(key)
    const found = (await attempt(get)) ?? (await attempt(get))
    if (!found) return false
    const text = typeof found.value === 'string' ? found.value : null
    if (text !== stored) unsaved = undefined
    stored = text
    return true
  }

  /** Reads again what it has written, because some storages do nothing without a word. */
  async function put(text: string | null): Promise<boolean> {
    const before = stored
    const done = await attempt(() => (text === null ? storage.removeItem(key) : storage.setItem(key, text)))
    if (!done || !(await look()) || (stored === before && stored !== text)) return false
    unsaved = undefined
    return true
  }

  async function read(): Promise<string | null> {
    await look()
    if (unsaved === undefined) return stored
    const text = unsaved
    return (await put(text)) ? stored : text
  }

  /**
   * @param shorter for an item that must not stay as it was. It is written when `text` cannot be, because a full storage still
   *   takes less than it had. If that fails, too, the item is removed.
   * @returns whether other tabs can read the one or the other
   */
  async function write(text: string | null, shorter?: string): Promise<boolean> {
    await look()
    unsaved = text
    if (await put(text)) return true
    if (shorter === undefined) return false
    const isReadable = await put(shorter)
    if (!isReadable) await put(null)
    unsaved = text
    return isReadable
  }

  /** Takes over what another tab could not write. */
  async function adopt(text: string): Promise<void> {
    await look()
    unsaved = text
  }

  return { read, write, adopt }
}

/** The result of a call that may throw, reject or never end. */
async function attempt<T>(call: () => T | Promise<T>): Promise<{ value: T } | undefined> {
  let timer
  try {
    const result = call()
    if (!(result instanceof Object)) return { value: result }
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(reject, patienceMs)
    })
    return { value: await Promise.race([result, late]) }
  } catch {
    return undefined
  } finally {
    clearTimeout(timer)
  }
}
