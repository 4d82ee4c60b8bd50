/** As Promise.all, but all are waited for, also if one throws. */
export async function allOrFirstError<T>(work: readonly (T | Promise<T>)[]): Promise<T[]> {
  const settled = await Promise.allSettled(work);
  return settled.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
}
