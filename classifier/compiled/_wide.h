/* The sums that most of a forward pass's arithmetic goes into, compiled a second time for processors with AVX2 where the
   compiler and the C library can choose between the two when the module is loaded. */

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_WIDE_PROCESSORS __attribute__((target_clones("avx2", "default")))
#else
#define FOR_WIDE_PROCESSORS
#endif

#define COLUMNS 8 /* what the columns of a product are a multiple of */

/* vector @ matrix: (rows,) and (rows, columns) to (columns,); four rows at a time, to go over the product less often. */
FOR_WIDE_PROCESSORS
static void multiply(const double *restrict vector, const double *restrict matrix, Py_ssize_t rows, Py_ssize_t columns,
                     double *restrict product) {
    Py_ssize_t row = 0;
    columns -= columns % COLUMNS;
    for (Py_ssize_t column = 0; column < columns; column++)
        product[column] = 0.0;
    for (; row + 4 <= rows; row += 4) {
        const double *first = matrix + row * columns, *second = first + columns, *third = second + columns,
                     *fourth = third + columns;
        for (Py_ssize_t column = 0; column < columns; column++)
            product[column] += (vector[row] * first[column] + vector[row + 1] * second[column]) +
                               (vector[row + 2] * third[column] + vector[row + 3] * fourth[column]);
    }
    for (; row < rows; row++)
        for (Py_ssize_t column = 0; column < columns; column++)
            product[column] += vector[row] * matrix[row * columns + column];
}

/* Adds rows of single precision to a total of double precision, in order. */
FOR_WIDE_PROCESSORS
static void add_rows(const float *const *rows, int count, int columns, double *restrict total) {
    for (int row = 0; row < count; row++)
        for (int column = 0; column < columns; column++)
            total[column] += rows[row][column];
}

/* (values - mean) / scale, kept within -limit and limit. */
FOR_WIDE_PROCESSORS
static void standardise(const double *values, const double *mean, const double *scale, Py_ssize_t count, double limit,
                        double *restrict scaled) {
    for (Py_ssize_t each = 0; each < count; each++) {
        double value = (values[each] - mean[each]) / scale[each];
        value = value < -limit ? -limit : value;
        scaled[each] = value > limit ? limit : value;
    }
}
