/**
 * The faults of a call's items, up to a limit. An item's faults are told all together or not at all: a caller who sees
 * one of three would fix it and be refused again. The first item that is left out is named, for it and what follows may
 * be at fault too.
 */
import type { FieldError } from '@hookfleet/contract';

// Beyond so many faults, a call is not read any further. One item has no more (ERRORS_MAX).
const FAULTS_MAX = 100;

export interface CallRefusal {
  readonly errors: FieldError[];
  /** Path of the first item whose faults are not among the errors; it and what follows may not have been checked. */
  readonly uncheckedFrom?: string;
}

export interface FaultsByItem {
  /** What is at fault with the call itself. */
  addOfCall(faults: readonly FieldError[]): void;
  add(path: string, faults: readonly FieldError[]): void;
  /** No more are taken. To be asked before an item is read. */
  isFull(path: string): boolean;
  /** Undefined if there is no fault. */
  refusal(): CallRefusal | undefined;
}

export function gatherFaults(): FaultsByItem {
  const errors: FieldError[] = [];
  let uncheckedFrom: string | undefined;
  return {
    addOfCall: (faults) => void errors.push(...faults),
    add(path, faults) {
      if (errors.length > 0 && errors.length + faults.length > FAULTS_MAX) uncheckedFrom ??= path;
      else if (uncheckedFrom === undefined) errors.push(...faults);
    },
    isFull(path) {
      if (errors.length >= FAULTS_MAX) uncheckedFrom ??= path;
      return uncheckedFrom !== undefined;
    },
    refusal: () =>
      errors.length === 0
        ? undefined
        : { errors: errors.slice(0, FAULTS_MAX), ...(uncheckedFrom !== undefined && { uncheckedFrom }) },
  };
}

/** What a refusal says beside its fields. */
export function refusalDetail({ uncheckedFrom }: CallRefusal): string {
  return uncheckedFrom === undefined
    ? 'Some fields are at fault.'
    : `Some fields are at fault. ${uncheckedFrom} and the items after it are not listed: they may be at fault too.`;
}
