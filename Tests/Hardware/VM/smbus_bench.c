// What i2c-stub leaves out, on its bus. Parameters:
//
// alert: the chip at this address pulls the wire for alerts (SMBALERT#): the kernel asks who did, at the address of a
// stub that answers for it, and calls the chip's driver.
// held: nothing is transferred meanwhile, as on a bus that is stuck; for 30 s at most.
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/i2c.h>
#include <linux/i2c-smbus.h>
#include <linux/kthread.h>
#include <linux/module.h>

// Where the kernel asks (SMBus 3.1, appendix A.2).
enum { ALERT_RESPONSE = 0x0C };
enum { LONGEST = 30 * HZ };

static struct i2c_adapter *bus;
static struct i2c_client *asker;
static struct task_struct *holder;
static DECLARE_COMPLETION(is_held);

static int set_alert(const char *text, const struct kernel_param *parameter)
{
	union i2c_smbus_data answer = {};
	int error = kstrtou8(text, 0, &answer.byte);

	if (error)
		return error;
	if (!asker)
		return -ENODEV;
	// The first register that is read next, and nobody behind it.
	answer.byte <<= 1;
	error = i2c_smbus_xfer(bus, ALERT_RESPONSE, 0, I2C_SMBUS_WRITE, 0, I2C_SMBUS_BYTE_DATA, &answer);
	if (!error)
		error = i2c_smbus_xfer(bus, ALERT_RESPONSE, 0, I2C_SMBUS_WRITE, 0, I2C_SMBUS_BYTE, NULL);
	if (!error)
		i2c_handle_smbus_alert(asker);
	return error;
}
static const struct kernel_param_ops alert_operations = {.set = set_alert};
module_param_cb(alert, &alert_operations, NULL, 0200);

// Who takes the lock has to give it back.
static int hold(void *data)
{
	unsigned long end = jiffies + LONGEST;

	i2c_lock_bus(bus, I2C_LOCK_ROOT_ADAPTER);
	complete(&is_held);
	while (!kthread_should_stop() && time_before(jiffies, end))
		msleep(1);
	i2c_unlock_bus(bus, I2C_LOCK_ROOT_ADAPTER);
	while (!kthread_should_stop())
		msleep(1);
	return 0;
}

static int set_held(const char *text, const struct kernel_param *parameter)
{
	bool is_wanted;
	int error = kstrtobool(text, &is_wanted);

	if (error)
		return error;
	if (is_wanted && !holder) {
		struct task_struct *task = kthread_run(hold, NULL, "smbus-hold");

		if (IS_ERR(task))
			return PTR_ERR(task);
		holder = task;
		wait_for_completion(&is_held);
	} else if (!is_wanted && holder) {
		kthread_stop(holder);
		holder = NULL;
	}
	return 0;
}
static const struct kernel_param_ops held_operations = {.set = set_held};
module_param_cb(held, &held_operations, NULL, 0200);

static int choose(struct device *device, void *number)
{
	struct i2c_adapter *adapter = i2c_verify_adapter(device);

	if (!adapter || strcmp(adapter->name, "SMBus stub driver"))
		return 0;
	*(int *)number = adapter->nr;
	return 1;
}

static int __init start(void)
{
	static struct i2c_smbus_alert_setup setup;
	int number = -1;

	i2c_for_each_dev(&number, choose);
	bus = i2c_get_adapter(number);
	if (!bus)
		return -ENODEV;
	asker = i2c_new_smbus_alert_device(bus, &setup);
	if (IS_ERR(asker)) {
		i2c_put_adapter(bus);
		return PTR_ERR(asker);
	}
	// Without its driver there is nobody to ask.
	if (!asker->dev.driver) {
		i2c_unregister_device(asker);
		asker = NULL;
	}
	return 0;
}

static void __exit end(void)
{
	if (holder)
		kthread_stop(holder);
	if (asker)
		i2c_unregister_device(asker);
	i2c_put_adapter(bus);
}
module_init(start);
module_exit(end);
MODULE_LICENSE("GPL");
