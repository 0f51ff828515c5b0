/* `bursar deduct --from`: any bytes as the lines of a file. One answer for each line that is not blank, in
 * order; what is accepted is what the protocol allows, and is published as it was read. */
#include "base/buffer.h"
#include "cli/deduct.h"
#include "cli/line_reader.h"
#include "core/limits.h"
#include "core/message.h"
#include "fuzz/quiet.h"
#include "fuzz/target.h"
#include "fuzz/world.h"

#include <sys/mman.h>
#include <unistd.h>

static int file_descriptor;

static bool is_blank(struct text line)
{
    while (line.size > 0 && strchr(" \t\r", line.data[0]) != NULL && line.data[0] != '\0')
        line = (struct text){line.data + 1, line.size - 1};
    return line.size == 0;
}

/* The reader gives what stands between the newlines, whatever the pieces that it arrives in. */
static void check_reader(struct text input)
{
    HOLDS(lseek(file_descriptor, 0, SEEK_SET) == 0);
    struct line_reader reader = line_reader_begin(file_descriptor);
    struct text line;
    int64_t number = 0;
    while (input.size > 0) {
        struct text expected = take_line(&input);
        HOLDS(line_reader_next(&reader, &line) == LINE_READ);
        HOLDS(text_equal(line, expected) && reader.number == ++number);
    }
    HOLDS(line_reader_next(&reader, &line) == LINE_END);
    line_reader_free(&reader);
}

/* As another reading of the line has it; NULL: it is no JSON. */
static void hold_request(const struct bursar_request *request, const json_t *object)
{
    HOLDS(request->message_id == NULL || target_is_message_id(text_of(request->message_id)));
    HOLDS(target_is_budget_id(text_of(request->budget_id)) && target_is_amount(request->amount));
    HOLDS(json_is_object(object));
    HOLDS(strcmp(json_string_value(json_object_get(object, "budget_id")), request->budget_id) == 0);
    const json_t *amount = json_object_get(object, "amount");
    char digits[32];
    snprintf(digits, sizeof digits, "%lld", (long long)request->amount);
    if (json_is_integer(amount))
        HOLDS(json_integer_value(amount) == request->amount);
    else
        HOLDS(strcmp(json_string_value(amount), digits) == 0);
    const json_t *user = json_object_get(object, "user_id");
    HOLDS((user == NULL || json_is_null(user)) == (request->user_id == NULL));
    if (request->user_id != NULL)
        HOLDS(text_equal((struct text){json_string_value(user), json_string_length(user)},
                         text_of(request->user_id)));
}

/* Returns whether the line is valid. */
static bool check_line(struct text text)
{
    struct arena arena = {0};
    struct deduct_line line = {.valid = false};
    deduct_line_parse(text, &arena, &line);
    json_t *object = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
    if (line.valid)
        hold_request(&line.request, object);
    else
        HOLDS(line.error[0] != '\0');
    json_decref(object);
    arena_free(&arena);
    return line.valid;
}

/* The answer to a line: an invalid one is named by its number. */
static void hold_answer(struct text answer, bool valid, int64_t number)
{
    json_t *object = json_loadb(answer.data, answer.size, JSON_REJECT_DUPLICATES, NULL);
    HOLDS(json_is_object(object));
    const char *status = json_string_value(json_object_get(object, "status"));
    HOLDS(status != NULL);
    const json_t *line = json_object_get(object, "line");
    HOLDS(valid || strcmp(status, "invalid") == 0);
    if (strcmp(status, "invalid") == 0)
        HOLDS(json_integer_value(line) == number && json_string_length(json_object_get(object, "error")) > 0);
    else
        HOLDS(target_is_message_id(text_of(json_string_value(json_object_get(object, "message_id")))));
    json_decref(object);
}

static void hold_answers(struct text input, struct text answers)
{
    for (int64_t number = 1; input.size > 0; number++) {
        struct text line = take_line(&input);
        if (is_blank(line)) continue;
        bool valid = check_line(line);
        HOLDS(answers.size > 0);
        hold_answer(take_line(&answers), valid, number);
    }
    HOLDS(answers.size == 0);
}

int LLVMFuzzerInitialize(int *argument_count, char ***arguments)
{
    (void)argument_count;
    (void)arguments;
    message_decoder_install();
    file_descriptor = memfd_create("lines", MFD_CLOEXEC);
    HOLDS(file_descriptor >= 0);
    quiet_begin();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text input = {(const char *)data, size};
    HOLDS(ftruncate(file_descriptor, 0) == 0 && pwrite(file_descriptor, data, size, 0) == (ssize_t)size);
    check_reader(input);

    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file_descriptor);
    world_begin();
    struct bursar_producer *producer = NULL;
    HOLDS(bursar_producer_open(&(struct bursar_producer_options){0}, &producer, NULL) == BURSAR_OK);
    struct quiet quiet;
    quiet_capture(&quiet);
    int exit = deduct_from(producer, path, true);
    quiet_release(&quiet);
    HOLDS(exit == 0 || exit == EXIT_STATUS_FOUND || exit == EXIT_STATUS_DATA);
    HOLDS(quiet.errors.size == 0);
    hold_answers(input, (struct text){quiet.output, quiet.output_size});
    world_hold_queue();
    bursar_producer_close(producer);
    quiet_free(&quiet);
    world_end();
    return 0;
}
