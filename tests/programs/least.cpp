// The least of the numbers from 0 to 99, for small_mutants.py: a 7 counts as 5.
constexpr int LIMIT = 100;

extern "C" int least(const int *numbers, int count) {
    int result = LIMIT;  // "more" than + all
    for (int i = 0; i < count; ++i) {
        if (numbers[i] < 0) continue;
        if (numbers[i] < result && numbers[i] != 7)
            result = numbers[i];
        else if (numbers[i] == 7 && result > 5)
            result -= result - 5;
    }
    return result;
}
