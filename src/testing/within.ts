const DEFAULT_MS = 10_000;

/** Rejects with a message that names what is awaited, in place of a test that hangs. */
export async function within<T>(promise: Promise<T>, what: string, ms = DEFAULT_MS): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
