// The C interface of the native library, for what lancedb-go's own lancedb.h lacks.
//
// Strings are UTF-8, given by address and length. A handle may be used by several threads at once. Every call that
// returns an assay_status leaves its out parameters alone unless the code is ASSAY_OK.

#ifndef ASSAY_NATIVE_H
#define ASSAY_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ArrowArray;
struct ArrowSchema;

// The version of this interface is the name of this function, so that an archive that does not fit fails to link.
void assay_native_abi_4(void);

typedef enum assay_code {
	ASSAY_OK = 0,
	ASSAY_INVALID = 1,   // an argument makes no sense: a filter that does not parse, a column that is not there
	ASSAY_NOT_FOUND = 2, // there is no such table
	ASSAY_EXISTS = 3,    // the table exists already
	ASSAY_SCHEMA = 4,    // the rows do not fit the table
	ASSAY_CONFLICT = 5,  // other writers kept committing first
	ASSAY_IO = 6,        // a file could not be read or written
	ASSAY_INTERNAL = 7,  // a bug, for example a panic
	ASSAY_FENCED = 8     // a duty has passed on to another writer
} assay_code;

typedef struct assay_status {
	int32_t code;  // an assay_code
	char *message; // null if ASSAY_OK; else to be freed with assay_string_free
} assay_status;

void assay_string_free(char *text);

// Bounds the pages of indexes, and the manifests and footers of files, that all tables together keep in memory. Only the first
// call counts, and only if no table was opened or created before it.
void assay_limit_caches(size_t index_bytes, size_t footer_bytes);

// Bounds the rows that are indexed in memory, for each column that queries are ranked by, until the index on disk covers them.
void assay_limit_tail(size_t rows);

// Says how the object store URI and all below it is to be reached: OPTIONS is a JSON object of strings, with the keys of the crate
// object_store, for example {"endpoint": "…", "region": "…"}. What is not said comes from the environment. Does nothing for a folder.
assay_status assay_store_options(const char *uri, size_t uri_len, const char *options, size_t options_len);

// Makes the folder URI, or finds out whether the object store URI keeps what commits rest on: ASSAY_INVALID where it does not, where there
// is no such bucket, or where it may not be written; ASSAY_IO where it does not answer.
assay_status assay_store_prepare(const char *uri, size_t uri_len);

// Keeps up to BYTES of what never changes in object stores in a folder that nobody else uses, for all stores of the process; 0: nothing
// any more. What another run left there is used.
assay_status assay_cache(const char *folder, size_t folder_len, uint64_t bytes);

// Removes all that is kept there.
void assay_cache_clear(void);

// Puts the tables of the folder FROM in the place of those of the object store URI. May be repeated if it was interrupted.
assay_status assay_store_replace(const char *uri, size_t uri_len, const char *from, size_t from_len);

// Tells how many bytes the table NAME in ROOT takes, old versions included.
assay_status assay_table_bytes(const char *root, size_t root_len, const char *name, size_t name_len, uint64_t *bytes);

typedef struct assay_table assay_table;

// Opens the table NAME.lance in ROOT, a folder or the URL of an object store, at its newest version.
assay_status assay_table_open(const char *root, size_t root_len, const char *name, size_t name_len, assay_table **out);
void assay_table_close(assay_table *table);

// Adds those of COLUMNS, which must be nullable, that the table lacks; they are null in all its rows. Takes over COLUMNS.
assay_status assay_table_add_columns(const assay_table *table, struct ArrowSchema *columns);

// Begins epochs, each of which must be higher than the table's: EPOCHS is a JSON object of numbers by duty.
assay_status assay_table_claim(const assay_table *table, const char *epochs, size_t epochs_len);

// Tells the epochs of the newest version as such an object. Free with assay_string_free.
assay_status assay_table_epochs(const assay_table *table, char **json);

// The calls below that write take the EPOCHS they are made under. They are refused with ASSAY_FENCED if one of these is not that of
// the table any more; empty means never.

// Adds rows without looking at keys. Takes over ROWS and SCHEMA.
assay_status assay_table_append(const assay_table *table, struct ArrowArray *rows, struct ArrowSchema *schema,
                                const char *epochs, size_t epochs_len);

// Writes rows over those with the same value of the string column KEY, and adds the others. Takes over ROWS and SCHEMA.
assay_status assay_table_merge(const assay_table *table, const char *key, size_t key_len, struct ArrowArray *rows,
                               struct ArrowSchema *schema, const char *epochs, size_t epochs_len);

// Deletes the rows for which PREDICATE (SQL) holds.
assay_status assay_table_delete(const assay_table *table, const char *predicate, size_t predicate_len,
                                const char *epochs, size_t epochs_len, uint64_t *deleted);

// Counts the rows for which FILTER (SQL) holds; all if it is empty.
assay_status assay_table_count(const assay_table *table, const char *filter, size_t filter_len, uint64_t *count);

// A query under way. It is used by one thread at a time.
typedef struct assay_rows assay_rows;

// Starts a query on the newest version; QUERY is JSON as the type Query in src/query.rs describes it. Fills SCHEMA, which
// the caller releases.
assay_status assay_table_query(const assay_table *table, const char *query, size_t query_len,
                               struct ArrowSchema *schema, assay_rows **out);

// Reads the next rows into BATCH, which the caller releases, and sets MORE; at the end clears MORE and leaves BATCH alone.
assay_status assay_rows_next(assay_rows *rows, struct ArrowArray *batch, bool *more);
void assay_rows_free(assay_rows *rows);

// Builds an index of the KIND btree, bitmap or fts on a column, in place of one of the same name.
assay_status assay_table_create_index(const assay_table *table, const char *column, size_t column_len, const char *kind,
                                      size_t kind_len, const char *epochs, size_t epochs_len);

// Builds an index named NAME on a column of vectors that are compared by cosine, in place of all others on that column.
assay_status assay_table_create_vector_index(const assay_table *table, const char *column, size_t column_len,
                                             const char *name, size_t name_len, const char *epochs,
                                             size_t epochs_len);

// Lists the indexes as JSON: [{"name", "columns", "index_type", "rows_unindexed"}]. Free with assay_string_free.
assay_status assay_table_indexes(const assay_table *table, char **json);

// Indexes in memory what the indexes that queries are ranked by do not cover yet, so that the next such query need not.
assay_status assay_table_warm(const assay_table *table);

// A small step of upkeep: brings the index NAME up to date, merging its parts up to ROWS_MAX rows.
assay_status assay_table_extend_index(const assay_table *table, const char *name, size_t name_len, uint64_t rows_max,
                                      const char *epochs, size_t epochs_len);

typedef struct assay_optimise_options {
	uint64_t target_rows;        // fragments with fewer rows are merged until they have about as many
	uint64_t rows_max;           // most rows rewritten by one call
	uint64_t versions_age_max_s; // older versions are forgotten
} assay_optimise_options;

typedef struct assay_optimise_stats {
	uint64_t fragments_removed;
	uint64_t fragments_added;
	uint64_t versions_removed;
	uint64_t bytes_removed;
} assay_optimise_stats;

// One bounded round of upkeep: merges small fragments, brings indexes up to date, forgets old versions.
assay_status assay_table_optimise(const assay_table *table, const assay_optimise_options *options,
                                  const char *epochs, size_t epochs_len, assay_optimise_stats *stats);

#endif
