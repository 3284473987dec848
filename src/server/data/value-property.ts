import { unwrap } from "../state/raw.ts";
import { DataRow, type StoredValue } from "./data-row.ts";
import { type PropertyRow, toPropertyKey } from "./data-rows.ts";
import { type Property, type PropertyContext, toPropertyRow } from "./property.ts";

/** A property that is stored as a whole. */
export class ValueProperty extends DataRow implements Property {
  isDefault: boolean;

  constructor(context: PropertyContext, value: unknown, isDefault: boolean, stored?: PropertyRow) {
    super(context, toPropertyKey(context.nsp, context.name), context.path, unwrap(value), stored);
    this.isDefault = isDefault;
  }

  expire(before: number): boolean {
    const isOver = this.bytes > 0 && this.at < before;
    if (isOver) this.discard();
    return isOver;
  }

  protected override onChanged(): void {
    this.isDefault &&= !this.context.writer.isSetUp;
    if (!this.isDefault) this.write();
  }

  protected override toStored(stored: StoredValue): PropertyRow {
    return toPropertyRow(this.context, { kind: "value", ...stored });
  }
}
