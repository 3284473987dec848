const DEFAULT_MS = 10_000;

/** Rejects with a message that names what is awaited, so that a test does not hang. */
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
