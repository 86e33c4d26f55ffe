// A pull that takes time, as one that charges a wire: included into gpio-sim, between what applies a pull and what is asked
// for one. Parameters of the module:
//
// pull_delay: how long a bias that is asked for takes to move its line, in microseconds; 0: none.
// pull_late: how many of them took more than 900 us, since this thread came too late: a line may then look settled before.
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/slab.h>

static unsigned int pull_delay;
module_param(pull_delay, uint, 0644);
static unsigned int pull_late;
module_param(pull_late, uint, 0644);

struct gpio_sim_pull {
	struct kthread_work work;
	struct gpio_sim_chip *chip;
	unsigned int offset;
	int value;
	u64 asked;
};

// Before all else: who comes late has moved a line that rested.
static struct kthread_worker *gpio_sim_puller;

static void gpio_sim_pull_now(struct kthread_work *work)
{
	struct gpio_sim_pull *pull = container_of(work, struct gpio_sim_pull, work);
	s64 left = pull_delay - (s64)(ktime_get_ns() - pull->asked) / 1000;

	if (left > 0)
		usleep_range(left, left + 20);
	gpio_sim_apply_pull(pull->chip, pull->offset, pull->value);
	if (ktime_get_ns() - pull->asked > 900000)
		pull_late++;
	kfree(pull);
}

static int gpio_sim_pull(struct gpio_sim_chip *chip, unsigned int offset, int value)
{
	struct gpio_sim_pull *pull;

	if (!pull_delay)
		return gpio_sim_apply_pull(chip, offset, value);
	if (!gpio_sim_puller) {
		struct kthread_worker *worker = kthread_create_worker(0, "gpio-sim-pull");

		if (IS_ERR(worker))
			return PTR_ERR(worker);
		sched_set_fifo(worker->task);
		gpio_sim_puller = worker;
	}
	pull = kzalloc(sizeof(*pull), GFP_KERNEL);
	if (!pull)
		return -ENOMEM;
	kthread_init_work(&pull->work, gpio_sim_pull_now);
	pull->chip = chip;
	pull->offset = offset;
	pull->value = value;
	pull->asked = ktime_get_ns();
	kthread_queue_work(gpio_sim_puller, &pull->work);
	return 0;
}
